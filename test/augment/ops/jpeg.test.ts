import { describe, expect, it } from 'vitest';
import { forwardDct, inverseDct } from '../../../src/augment/jpeg/dct.ts';
import { randomStream } from '../../../src/core/random.ts';
import { distanceFrom, readGolden } from '../support/golden.ts';

// libjpeg enlarges the chroma of an image of four columns or fewer in another way.
describe.each(['jpeg', 'jpeg-narrow', 'jpeg-slit'])('%s', (name) => {
  const golden = readGolden(name);

  it.each(golden.cases)("the same bytes as Pillow's libjpeg: $values", (found) => {
    expect(distanceFrom('pillow', golden, found).most).toBe(0);
  });
});

describe('the cosine transform', () => {
  const stream = randomStream('dct');
  const values = Int32Array.from({ length: 64 }, () => stream.integer(256) - 128);

  it('agrees with its definition', () => {
    const scale = (k: number): number => (k === 0 ? Math.SQRT1_2 : 1);
    const block = values.slice();
    forwardDct(block);
    for (let v = 0; v < 8; v++)
      for (let u = 0; u < 8; u++) {
        let sum = 0;
        for (let y = 0; y < 8; y++)
          for (let x = 0; x < 8; x++)
            sum +=
              values[y * 8 + x]! *
              Math.cos(((2 * x + 1) * u * Math.PI) / 16) *
              Math.cos(((2 * y + 1) * v * Math.PI) / 16);
        // 8 times too large. The first pass rounds to quarters, of which eight (each at most 1.39 times) meet in the second.
        expect(Math.abs(block[v * 8 + u]! - 2 * scale(u) * scale(v) * sum)).toBeLessThan(8 * 1.39 * 0.125 + 0.5);
      }
  });

  it('is undone by its inverse', () => {
    const block = values.slice();
    forwardDct(block);
    for (const [i, value] of block.entries()) block[i] = Math.round(value / 8);
    inverseDct(block);
    expect(Math.max(...values.map((value, i) => Math.abs(value - block[i]!)))).toBeLessThanOrEqual(2);
  });
});
