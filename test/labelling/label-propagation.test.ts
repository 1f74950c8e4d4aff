import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { AbortedError } from '../../src/core/errors.ts';
import { randomStream } from '../../src/core/random.ts';
import { conjugateGradient } from '../../src/core/conjugate-gradient.ts';
import { MOST_NEIGHBOURS, PropagationGraph, propagateLabels } from '../../src/labelling/label-propagation.ts';
import { nearestNeighbours } from '../../src/labelling/nearest-neighbours.ts';

const golden = JSON.parse(readFileSync(new URL('golden/labelling.json', import.meta.url), 'utf8')) as {
  classes: number;
  width: number;
  embeddings: number[];
  labels: number[];
  cases: { neighbours: number; alpha: number; probabilities: number[] }[];
};
const embeddings = Float32Array.from(golden.embeddings);
const labels = golden.labels.map((label) => (label < 0 ? undefined : label));
const { width, classes } = golden;

function randomRows(rows: number, width: number, seed: number): Float32Array {
  const stream = randomStream('rows', seed);
  return Float32Array.from({ length: rows * width }, () => stream.normal());
}

describe('nearest neighbours', () => {
  // Beyond one block, and sizes that no step of the products divides.
  it.each([
    [7, 3, 2],
    [64, 5, 63],
    [151, 9, 10],
  ])('are those of sorting all cosines: %i rows', async (rows, width, k) => {
    const x = randomRows(rows, width, rows);
    const norm = (i: number) => Math.hypot(...x.subarray(i * width, (i + 1) * width));
    const cosine = (i: number, j: number): number =>
      x.subarray(i * width, (i + 1) * width).reduce((sum, value, f) => sum + value * x[j * width + f]!, 0) /
      (norm(i) * norm(j));
    const { indices, similarities } = await nearestNeighbours(x, width, k);
    for (let i = 0; i < rows; i++) {
      const expected = Array.from({ length: rows }, (_, j) => j)
        .filter((j) => j !== i)
        .toSorted((a, b) => cosine(i, b) - cosine(i, a))
        .slice(0, k);
      expect([...indices.subarray(i * k, (i + 1) * k)]).toEqual(expected);
      for (const [at, j] of expected.entries()) expect(similarities[i * k + at]).toBeCloseTo(cosine(i, j), 6);
    }
  });

  it('are refused where there are too few, stop at a signal, and name a row that is not finite', async () => {
    const x = randomRows(5, 4, 1);
    await expect(nearestNeighbours(x, 4, 5)).rejects.toThrow(/1 to 4 neighbours, got 5/);
    await expect(nearestNeighbours(x, 3, 1)).rejects.toThrow(/\[N, 3\]/);
    await expect(nearestNeighbours(x, 4, 1, AbortSignal.abort())).rejects.toThrow(AbortedError);
    await expect(nearestNeighbours(Float32Array.of(1, 2, Number.NaN, 1), 2, 1)).rejects.toThrow(/Row 1/);
  });
});

it('conjugate gradients solve a positive definite system in as many rounds as it has rows', () => {
  const a = [
    [4, 1, 0.5],
    [1, 3, -1],
    [0.5, -1, 2],
  ];
  const x = conjugateGradient(
    (v, out) => a.forEach((row, i) => (out[i] = row.reduce((sum, value, j) => sum + value * v[j]!, 0))),
    Float64Array.of(1, 2, 3),
    1e-12,
    4,
  );
  for (const [i, row] of a.entries())
    expect(row.reduce((sum, value, j) => sum + value * x[j]!, 0)).toBeCloseTo(i + 1, 10);
});

describe('label propagation', () => {
  it.each(golden.cases)('is LabelSpreading of scikit-learn: $neighbours neighbours, alpha $alpha', async (given) => {
    const { probabilities } = await propagateLabels(embeddings, width, labels, classes, given);
    const worst = Math.max(...given.probabilities.map((p, i) => Math.abs(p - probabilities[i]!)));
    expect(worst).toBeLessThan(2e-6);
  });

  it('says through which neighbours a label came: shares of an unlabelled image sum to 1', async () => {
    const { influences, probabilities } = await propagateLabels(embeddings, width, labels, classes, { neighbours: 5 });
    for (const [row, label] of labels.entries()) {
      const all = influences(row, Infinity);
      const sum = all.reduce((total, { weight }) => total + weight, 0);
      if (label === undefined) expect(sum).toBeCloseTo(1, 4);
      // What it brings itself comes from no neighbour.
      else if (probabilities[row * classes + label]! > 0.5) expect(sum).toBeLessThan(0.999);
      expect(all.map(({ weight }) => weight)).toEqual(all.map(({ weight }) => weight).toSorted((a, b) => b - a));
      expect(influences(row, 2)).toEqual(all.slice(0, 2));
    }
  });

  it('names the nearest labelled images, never the image itself', async () => {
    const { nearestLabelled } = await propagateLabels(embeddings, width, labels, classes, { neighbours: 5 });
    const { indices, similarities } = await nearestNeighbours(embeddings, width, labels.length - 1);
    for (const row of [0, 20]) {
      const own = Array.from(indices.subarray(row * 59, (row + 1) * 59));
      const expected = own.filter((index) => labels[index] !== undefined).slice(0, 3);
      const found = nearestLabelled(row, 3);
      expect(found.map(({ index }) => index)).toEqual(expected);
      expect(found[0]!.weight).toBeCloseTo(similarities[row * 59 + own.indexOf(expected[0]!)]!, 6);
    }
  });

  it('knows nothing of an island without a label, and is sure of one with a single class', async () => {
    // Two groups at right angles: the second has no label.
    const x = Float32Array.from([1, 0.1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0.1, 0, 0, 1, 0]);
    const { probabilities, certainties, influences } = await propagateLabels(
      x,
      4,
      [1, undefined, undefined, undefined],
      2,
    );
    expect([...probabilities]).toEqual([0, 1, 0, 1, 0.5, 0.5, 0.5, 0.5]);
    expect([...certainties]).toEqual([1, 1, 0, 0]);
    expect(influences(2, 5)).toEqual([]);
  });

  it('recovers clusters from one label each', async () => {
    const stream = randomStream('clusters');
    const truth = Array.from({ length: 120 }, (_, i) => i % 4);
    const x = Float32Array.from(
      truth.flatMap((k) => [0, 1, 2, 3].map((f) => (f === k ? 3 : 0) + 0.6 * stream.normal())),
    );
    const known = truth.map((label, i) => (i < 4 ? label : undefined));
    const { probabilities } = await propagateLabels(x, 4, known, 4, { neighbours: 10 });
    const right = truth.filter((label, i) => {
      const row = probabilities.subarray(i * 4, i * 4 + 4);
      return row.indexOf(Math.max(...row)) === label;
    });
    expect(right.length).toBeGreaterThan(114);
  });

  it('refuses what it can not work with', async () => {
    const run = (...[given = labels, options = {}]: [(number | undefined)[]?, object?]) =>
      propagateLabels(embeddings, width, given, classes, options);
    await expect(run(labels.map(() => undefined))).rejects.toThrow(/there are none/);
    await expect(run([...labels.slice(1), 3])).rejects.toThrow(/Row 59 has the label 3/);
    await expect(run(labels.slice(1))).rejects.toThrow(/\[59, 6\]/);
    await expect(run(labels, { alpha: 1 })).rejects.toThrow(/alpha/);
    await expect(run(labels, { gamma: 0 })).rejects.toThrow(/gamma/);
  });
});

describe('a graph over which several sets of labels are spread', () => {
  const graphOf = async (x: Float32Array, width: number): Promise<PropagationGraph> => {
    const count = Math.min(MOST_NEIGHBOURS, x.length / width - 1);
    return new PropagationGraph(x, width, await nearestNeighbours(x, width, count));
  };
  /** Two moons, the second grasping into the first, as rows of unit length: places become angles on two circles. */
  const moons = (count: number): { x: Float32Array; truth: number[] } => {
    const stream = randomStream('moons');
    const truth = Array.from({ length: count }, (_, i) => i % 2);
    const x = Float32Array.from(
      truth.flatMap((moon) => {
        const at = Math.PI * stream.uniform();
        const [u, v] = moon === 0 ? [Math.cos(at), Math.sin(at)] : [1 - Math.cos(at), 0.5 - Math.sin(at)];
        const [a, b] = [u + 0.03 * stream.normal(), v + 0.03 * stream.normal()];
        return [Math.cos(a), Math.sin(a), Math.cos(b), Math.sin(b)];
      }),
    );
    return { x, truth };
  };
  const rightOf = (probabilities: Float32Array, truth: readonly number[]): number =>
    truth.filter((label, i) => probabilities[2 * i + label]! > 0.5).length / truth.length;

  it('spreads as propagateLabels does with the settings that it names', async () => {
    const graph = await graphOf(embeddings, width);
    const { how, probabilities } = graph.spread(labels, classes);
    const alone = await propagateLabels(embeddings, width, labels, classes, how);
    expect([...probabilities]).toEqual([...alone.probabilities]);
  });

  it('is bold along clusters', async () => {
    const { x, truth } = moons(400);
    const known = truth.map((label, i) => (i < 30 ? label : undefined));
    const spread = (await graphOf(x, 4)).spread(known, 2);
    expect(spread.how.alpha).toBe(0.99);
    expect(spread.heldRight).toBe(1);
    expect(rightOf(spread.probabilities, truth)).toBe(1);
  });

  it('is cautious where bold spreading would end in one class', async () => {
    // Neighbours in 16 dimensions, of which one tells the classes apart, and three times as many labels of one of them.
    const stream = randomStream('mixed');
    const truth = Array.from({ length: 400 }, (_, i) => i % 2);
    const x = Float32Array.from(
      truth.flatMap((label) => [4 * label - 2 + stream.normal(), ...Array.from({ length: 15 }, () => stream.normal())]),
    );
    const known = truth.map((label, i) => (i < (label === 0 ? 200 : 60) ? label : undefined));
    const { how, heldRight, probabilities } = (await graphOf(x, 16)).spread(known, 2);
    expect(how.alpha).toBe(0.9);
    expect(rightOf(probabilities, truth)).toBeGreaterThan(0.9);
    expect(heldRight).toBeCloseTo(rightOf(probabilities, truth), 1);
    const bold = await propagateLabels(x, 16, known, 2, { neighbours: 10, gamma: 8, alpha: 0.99 });
    expect(rightOf(bold.probabilities, truth)).toBeLessThan(0.6);
  });

  it('holds nothing where every class has one label', async () => {
    const { x, truth } = moons(40);
    const graph = await graphOf(x, 4);
    expect(
      graph.spread(
        truth.map((label, i) => (i < 2 ? label : undefined)),
        2,
      ).heldRight,
    ).toBeUndefined();
  });
});
