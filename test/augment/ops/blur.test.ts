import { describe, expect, it } from 'vitest';
import { OPERATIONS } from '../../../src/augment/operations.ts';
import type { Pixels } from '../../../src/images/pixels.ts';
import { resizedCrop } from '../../../src/images/crops.ts';
import { distanceFrom, readGolden } from '../support/golden.ts';
import { pictures } from '../support/pictures.ts';
import { runOperation } from '../support/run-operation.ts';

const golden = readGolden('blur');
const named = (name: string) => golden.cases.filter(({ operation }) => operation === name);

describe('blur', () => {
  // The sums are the same but for the last place; OpenCV's weights have 8 binary places, ours 14.
  it.each(named('blur'))('torchvision and OpenCV within one grey level: $values', (found) => {
    const opencv = distanceFrom('opencv', golden, found);
    expect(opencv.most).toBeLessThanOrEqual(1);
    expect(opencv.mean).toBeLessThan(0.2);
    if (found.torchvision === undefined) return;
    const torchvision = distanceFrom('torchvision', golden, found);
    expect(torchvision.most).toBeLessThanOrEqual(1);
    expect(torchvision.mean).toBeLessThan(0.01);
  });

  it('blurs more than the image is wide', () => {
    const dot = { width: 3, height: 1, data: new Uint8Array([0, 0, 0, 240, 240, 240, 0, 0, 0]) };
    // Reflected about its ends, it is 0 240 0 240 ...: half of 240 everywhere.
    expect([...runOperation(OPERATIONS.get('blur')!, { sigma: 8 }, dot).data]).toEqual(Array(9).fill(120));
  });

  it.each(['blur', 'motionblur', 'downscale', 'sharpness'])('%s: a flat image stays', (name) => {
    const flat = { width: 19, height: 13, data: new Uint8Array(19 * 13 * 3).fill(201) };
    for (const seed of [1, 2, 3, 4])
      expect(runOperation(OPERATIONS.get(name)!, {}, flat, seed).data).toEqual(flat.data);
  });
});

describe('motionblur', () => {
  // OpenCV adds in floating point: halves may fall to the other side.
  it.each(named('motionblur'))('OpenCV with the same kernel: $values', (found) => {
    const { most, mean } = distanceFrom('opencv', golden, found);
    expect(most).toBeLessThanOrEqual(1);
    expect(mean).toBeLessThan(0.1);
  });

  it('spreads a dot along the line, and keeps its light', () => {
    const side = 41;
    const data = new Uint8Array(side * side * 3);
    data.fill(255, (20 * side + 20) * 3, (20 * side + 20) * 3 + 3);
    const { data: result } = runOperation(
      OPERATIONS.get('motionblur')!,
      { length: 9, angle: 30 },
      { width: side, height: side, data },
    );
    let [sum, across, along] = [0, 0, 0];
    for (let y = 0; y < side; y++)
      for (let x = 0; x < side; x++) {
        const value = result[(y * side + x) * 3]!;
        const [dx, dy] = [x - 20, 20 - y];
        const [cos, sin] = [Math.cos(Math.PI / 6), 0.5];
        sum += value;
        along += value * (dx * cos + dy * sin) ** 2;
        across += value * (dy * cos - dx * sin) ** 2;
      }
    expect(Math.abs(sum - 255)).toBeLessThan(15);
    // A line of even weight, 8 long and with its ends of one pixel: variance 9^2 / 12.
    expect(Math.sqrt(along / sum)).toBeCloseTo(9 / Math.sqrt(12), 0);
    expect(Math.sqrt(across / sum)).toBeLessThan(0.6);
  });
});

describe('downscale', () => {
  it('is what shrinking and enlarging give', () => {
    const [scene] = pictures(40, 30) as [Pixels];
    const [small, large] = [new Uint8Array(20 * 15 * 3), new Uint8Array(40 * 30 * 3)];
    resizedCrop(scene.data, 40, { left: 0, top: 0, width: 40, height: 30 }, [15, 20], false, small);
    resizedCrop(small, 20, { left: 0, top: 0, width: 20, height: 15 }, [30, 40], false, large);
    expect(runOperation(OPERATIONS.get('downscale')!, { scale: 0.5 }, scene).data).toEqual(large);
  });
});
