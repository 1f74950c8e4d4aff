import { describe, expect, it } from 'vitest';
import { OPERATIONS } from '../../../src/augment/operations.ts';
import { parsePolicy } from '../../../src/augment/policy.ts';
import { meanColour } from '../../../src/images/sample.ts';
import type { Pixels } from '../../../src/images/pixels.ts';
import { pictures } from '../support/pictures.ts';
import { runOperation } from '../support/run-operation.ts';

const flat = (width: number, height: number): Pixels => ({
  width,
  height,
  data: new Uint8Array(width * height * 3).fill(100),
});

/** The rectangle around all pixels that are not grey 100 any more, and how many they are. */
function holesOf({ width, data }: Pixels): { width: number; height: number; pixels: number } {
  const changed = Array.from({ length: data.length / 3 }, (_, i) => i).filter((i) =>
    data.subarray(i * 3, i * 3 + 3).some((value) => value !== 100),
  );
  const [xs, ys] = [changed.map((i) => i % width), changed.map((i) => Math.floor(i / width))];
  return {
    width: Math.max(...xs) - Math.min(...xs) + 1,
    height: Math.max(...ys) - Math.min(...ys) + 1,
    pixels: changed.length,
  };
}

describe('erase', () => {
  const erase = OPERATIONS.get('erase')!;

  it('takes its probability first', () => {
    expect(parsePolicy('erase(0.25)').image[0]!.arguments).toMatchObject({ p: 0.25, area: [0.02, 0.33] });
    expect(parsePolicy('erase(0.25, 0.1..0.2, 1, mean)').image[0]!.arguments).toEqual({
      p: 0.25,
      area: [0.1, 0.2],
      aspect: [1, 1],
      fill: 'mean',
    });
    expect(parsePolicy('erase(0.25)').text).toBe('erase(p=0.25)');
    expect(parsePolicy(parsePolicy('erase(0.25, 0.1)').text).image).toEqual(parsePolicy('erase(0.25, 0.1)').image);
    expect(() => parsePolicy('erase(1.5)')).toThrow('"p" must be a number from 0 to 1');
    expect(() => parsePolicy('erase(0.25, fill=nose)')).toThrow('mean or noise');
  });

  it('hides one rectangle of the area and the aspect that were drawn', () => {
    for (let seed = 0; seed < 40; seed++) {
      const values = { area: 0.25, aspect: 2, fill: [0, 0, 0] };
      const hole = holesOf(runOperation(erase, values, flat(80, 60), seed));
      expect(hole.pixels).toBe(hole.width * hole.height);
      expect(Math.abs(hole.pixels / 4800 - 0.25)).toBeLessThan(0.01);
      expect(hole.height / hole.width).toBeCloseTo(2, 1);
    }
  });

  it('keeps the area where the aspect does not fit', () => {
    const hole = holesOf(runOperation(erase, { area: 0.5, aspect: 20, fill: [0, 0, 0] }, flat(80, 60)));
    expect([hole.width, hole.height]).toEqual([40, 60]);
    const all = holesOf(runOperation(erase, { area: 1, aspect: 0.1, fill: [0, 0, 0] }, flat(80, 60)));
    expect(all.pixels).toBe(4800);
  });

  it('reaches every place, the very corners but seldom', () => {
    const seen = new Uint8Array(80 * 60);
    for (let seed = 0; seed < 300; seed++)
      for (const [i, value] of runOperation(erase, { fill: [0, 0, 0] }, flat(80, 60), seed).data.entries())
        if (value === 0) seen[Math.floor(i / 3)] = 1;
    expect(seen.filter((value) => value === 0).length).toBeLessThan(24);
  });

  it("fills with a colour, the image's mean, or any colour pixel by pixel", () => {
    const [scene] = pictures() as [Pixels];
    const at = (image: Pixels, i: number): number[] => [...image.data.subarray(i * 3, i * 3 + 3)];
    const whole = { area: 1, aspect: 1 };
    expect(at(runOperation(erase, { ...whole, fill: [1, 2, 3] }, scene), 77)).toEqual([1, 2, 3]);
    expect(at(runOperation(erase, { ...whole, fill: 'mean' }, scene), 77)).toEqual([...meanColour(scene)]);
    const noisy = runOperation(erase, { ...whole, fill: 'noise' }, scene);
    const counts = new Uint32Array(256);
    for (const value of noisy.data) counts[value]!++;
    expect(Math.min(...counts)).toBeGreaterThan(10);
    expect(Math.max(...counts)).toBeLessThan(80);
  });
});

describe('cutout', () => {
  it('makes square holes, clipped at the border', () => {
    const values = { size: 0.5, count: 1, fill: [0, 0, 0] };
    const holes = Array.from({ length: 200 }, (_, seed) =>
      holesOf(runOperation(OPERATIONS.get('cutout')!, values, flat(80, 60), seed)),
    );
    for (const hole of holes) {
      expect(hole.pixels).toBe(hole.width * hole.height);
      expect(hole.width).toBeLessThanOrEqual(31);
      expect(hole.height).toBeLessThanOrEqual(31);
    }
    // Its centre is uniform: the mean of what is left of a side of 30 is 30 - 30^2 / (4 * 80), and so on.
    const mean = holes.reduce((sum, { width }) => sum + width, 0) / holes.length;
    expect(mean).toBeCloseTo(30 - 900 / 320, -0.5);
    expect(holes.some(({ width }) => width < 25)).toBe(true);
  });

  it('makes as many as it is told', () => {
    const area = (count: number): number =>
      holesOf(runOperation(OPERATIONS.get('cutout')!, { size: 0.1, count, fill: [0, 0, 0] }, flat(200, 200), 3)).pixels;
    expect(area(10) / area(1)).toBeGreaterThan(6);
  });
});

describe('gridmask', () => {
  it('hides the share of the image that its holes are of their units', () => {
    const values = { hole: 0.5, unit: 0.1, fill: [0, 0, 0] };
    for (let seed = 0; seed < 10; seed++) {
      const { pixels } = holesOf(runOperation(OPERATIONS.get('gridmask')!, values, flat(200, 200), seed));
      expect(pixels / 40_000).toBeCloseTo(0.25, 1);
    }
  });

  it('repeats itself after each unit', () => {
    const { data } = runOperation(OPERATIONS.get('gridmask')!, { hole: 0.4, unit: 0.2, fill: [0, 0, 0] }, flat(50, 50));
    for (let y = 0; y < 40; y++)
      for (let x = 0; x < 40; x++) expect(data[((y + 10) * 50 + x + 10) * 3]).toBe(data[(y * 50 + x) * 3]);
  });
});
