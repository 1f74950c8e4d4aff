import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { randomStream } from '../../src/core/random.ts';
import { randomCropBox, resizedCrop } from '../../src/images/crops.ts';

const INCEPTION = { scale: [0.08, 1], ratio: [3 / 4, 4 / 3] } as const;

describe('randomCropBox', () => {
  it('stays inside the image', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 500 }),
        fc.integer({ min: 1, max: 500 }),
        fc.nat(),
        (width, height, seed) => {
          const box = randomCropBox(width, height, INCEPTION, randomStream(seed));
          expect(Math.min(box.left, box.top)).toBeGreaterThanOrEqual(0);
          expect(Math.min(box.width, box.height)).toBeGreaterThanOrEqual(1);
          expect(box.left + box.width).toBeLessThanOrEqual(width);
          expect(box.top + box.height).toBeLessThanOrEqual(height);
        },
      ),
    );
  });

  it('draws areas and aspects over their whole range', () => {
    const stream = randomStream('crops');
    const boxes = Array.from({ length: 4000 }, () => randomCropBox(400, 400, INCEPTION, stream));
    const areas = boxes.map(({ width, height }) => (width * height) / 160_000);
    const aspects = boxes.map(({ width, height }) => Math.log(width / height));
    expect(Math.min(...areas)).toBeLessThan(0.1);
    expect(Math.max(...areas)).toBeGreaterThan(0.95);
    expect(Math.min(...aspects)).toBeLessThan(Math.log(0.78));
    expect(Math.max(...aspects)).toBeGreaterThan(Math.log(1.28));
    // Log-uniform: wide and tall are equally likely.
    expect(Math.abs(aspects.reduce((sum, value) => sum + value, 0) / aspects.length)).toBeLessThan(0.01);
  });

  it('takes the largest centred box of an image too long for any', () => {
    const stream = randomStream(1);
    expect(randomCropBox(1000, 30, { scale: [1, 1], ratio: [0.75, 4 / 3] }, stream)).toEqual({
      left: 480,
      top: 0,
      width: 40,
      height: 30,
    });
  });
});

describe('resizedCrop', () => {
  const [width, height] = [37, 29];
  const pixels = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const [c, x, y] = [i % 3, Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
    return (x * 7 + y * 13 + c * 50 + ((x * y) % 11) * 9) % 256;
  });
  const cases = JSON.parse(readFileSync(new URL('golden/pillow-crops.json', import.meta.url), 'utf8')) as {
    box: [number, number, number, number];
    side: number;
    pixels: number[];
  }[];

  it.each(cases)('gives what Pillow gives, within one grey level: $box to $side', ({ box, side, pixels: expected }) => {
    const [left, top, w, h] = box;
    const into = new Uint8Array(side * side * 3 + 5);
    resizedCrop(pixels, width, { left, top, width: w, height: h }, [side, side], false, into, 5);
    expect([...into.subarray(0, 5)]).toEqual([0, 0, 0, 0, 0]);
    expect(Math.max(...expected.map((value, i) => Math.abs(value - into[5 + i]!)))).toBeLessThanOrEqual(1);
  });

  it('mirrors the result', () => {
    const box = { left: 3, top: 2, width: 30, height: 20 };
    const [straight, mirrored] = [new Uint8Array(10 * 12 * 3), new Uint8Array(10 * 12 * 3)];
    resizedCrop(pixels, width, box, [10, 12], false, straight);
    resizedCrop(pixels, width, box, [10, 12], true, mirrored);
    for (let y = 0; y < 10; y++)
      for (let x = 0; x < 12; x++)
        for (let c = 0; c < 3; c++) expect(mirrored[(y * 12 + x) * 3 + c]).toBe(straight[(y * 12 + 11 - x) * 3 + c]);
  });
});
