import { describe, expect, it } from 'vitest';
import { randomStream } from '../../src/core/random.ts';
import { kMeans } from '../../src/labelling/k-means.ts';
import { suggestImages } from '../../src/labelling/suggest-images.ts';

/** `sizes[c]` points around (10 c, 0), the later ones further out. */
function blobs(sizes: readonly number[], seed = 1): Float64Array {
  const stream = randomStream(seed, 'blobs');
  return Float64Array.from(
    sizes.flatMap((size, c) =>
      Array.from({ length: size }, (_, i) => {
        const radius = (0.1 * i) / size;
        const angle = 2 * Math.PI * stream.uniform();
        return [10 * c + radius * Math.cos(angle), radius * Math.sin(angle)];
      }).flat(),
    ),
  );
}

const even = (rows: number, classes = 2): Float64Array => new Float64Array(rows * classes).fill(1 / classes);

describe('kMeans', () => {
  it('finds blobs, with their means as centres', () => {
    const rows = blobs([20, 30, 10]);
    const { assigned, centres } = kMeans(rows, 2, 3, randomStream(0, 'test'));
    for (const [from, to] of [
      [0, 20],
      [20, 50],
      [50, 60],
    ] as const)
      // prettier-ignore
      expect(new Set(assigned.slice(from, to)).size).toBe(1);
    expect(new Set(assigned).size).toBe(3);
    const first = assigned[0]!;
    const mean = rows.slice(0, 40).reduce((sum, x, at) => sum + (at % 2 === 0 ? x / 20 : 0), 0);
    expect(centres[first * 2]).toBeCloseTo(mean, 12);
  });

  it('bears copies of one point, and as many clusters as points', () => {
    const same = new Float64Array(12).fill(3);
    expect(Array.from(kMeans(same, 2, 3, randomStream(1, 'test')).assigned)).toEqual([0, 0, 0, 0, 0, 0]);
    const all = kMeans(Float64Array.from([0, 5, 9]), 1, 3, randomStream(2, 'test'));
    expect(new Set(all.assigned).size).toBe(3);
    expect(() => kMeans(same, 2, 7, randomStream(3, 'test'))).toThrow('expected 1 to N clusters, got 7');
  });
});

describe('suggestImages', () => {
  const sizes = [40, 30, 20, 10];
  const rows = 100;
  const known = (...labelled: number[]): boolean[] => Array.from({ length: rows }, (_, i) => labelled.includes(i));
  const stream = (seed = 0) => randomStream(seed, 'suggest');

  it('asks where nothing is labelled yet, largest groups first, never about what is known', () => {
    // One label in each of the two largest: two further groups are to be asked about.
    const input = { embeddings: blobs(sizes), known: known(0, 40), probabilities: even(rows), classes: 2 };
    const picked = suggestImages(input, 2, stream());
    expect(picked.every(({ index, alikeKnown }) => index >= 70 && alikeKnown === 0)).toBe(true);
    expect(picked.map(({ alike }) => alike)).toEqual([20, 10]);
  });

  it('takes the most typical of a group: 1 over the mean distance to its neighbours', () => {
    const embeddings = Float64Array.from([0, 0.9, 1, 1.1, 5]);
    const input = { embeddings, known: [false, false, false, false, false], probabilities: even(5), classes: 2 };
    const [first] = suggestImages(input, 1, stream());
    const inverse = [0, 0.9, 1, 1.1, 5].map(
      (x) => 4 / [0, 0.9, 1, 1.1, 5].reduce((sum, y) => sum + Math.abs(x - y), 0),
    );
    expect(first).toMatchObject({ index: inverse.indexOf(Math.max(...inverse)), typicality: 1, alike: 5 });
  });

  it('prefers what the model is unsure of the more, the more labels there are', () => {
    // All images alike, and the model is unsure of one of them.
    const probabilities = Float64Array.from({ length: rows * 2 }, (_, at) => (at % 2 === 0 ? 0.9 : 0.1));
    probabilities.set([0.5, 0.5], 98 * 2);
    const few = { embeddings: new Float64Array(rows), known: known(), probabilities, classes: 2 };
    const many = { ...few, known: few.known.map((_, i) => i < 40) };
    expect(suggestImages(few, 1, stream())).toMatchObject([{ index: 0, alikeKnown: 0 }]);
    expect(suggestImages(many, 1, stream())).toMatchObject([{ index: 98, uncertainty: 1, alikeKnown: 40 }]);
  });

  it('hands out every unknown image once where all are asked for, and the same by the same seed', () => {
    const input = { embeddings: blobs(sizes), known: known(3, 50, 99), probabilities: even(rows), classes: 2 };
    const all = suggestImages(input, 1000, stream(4));
    expect(all.map(({ index }) => index).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: rows }, (_, i) => i).filter((i) => ![3, 50, 99].includes(i)),
    );
    expect(suggestImages(input, 10, stream(4))).toEqual(suggestImages(input, 10, stream(4)));
    expect(suggestImages({ ...input, known: input.known.map(() => true) }, 5, stream())).toEqual([]);
  });

  it('bears copies: of equal images all are as typical', () => {
    const input = { embeddings: new Float64Array(12), known: Array.from({ length: 6 }, () => false), probabilities: even(6), classes: 2 }; // prettier-ignore
    expect(suggestImages(input, 3, stream()).map(({ typicality }) => typicality)).toEqual([1, 1, 1]);
  });
});
