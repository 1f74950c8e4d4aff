import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tensor } from '../../../src/core/tensor.ts';
import { fitLinearProbe, headLogits, inProportion, logitsBySubset } from '../../../src/recipes/probe/linear-probe.ts';
import { Engine } from '../../../src/runtime/engine.ts';

interface Golden {
  readonly features: number[][];
  readonly labels: number[];
  readonly probabilities: number[][];
}

/** Made by golden/make_linear_probe.py with scikit-learn. */
const golden = JSON.parse(readFileSync(new URL('golden/linear-probe.json', import.meta.url), 'utf8')) as Golden;
const [n, width] = [golden.features.length, golden.features[0]!.length];
const features = tensor('float32', [n, width], Float32Array.from(golden.features.flat()));

const meanOf = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;

let engine: Engine;
beforeAll(async () => {
  engine = await Engine.start({ device: 'cpu', threads: 1 });
});
afterAll(() => engine.dispose());

describe('fitLinearProbe', () => {
  it("gives scikit-learn's probabilities at the same strength", async () => {
    const { weight, bias } = await fitLinearProbe(engine, features, golden.labels, 3, { strengths: [0.5] });
    for (const [i, row] of golden.features.entries()) {
      const logits = [0, 1, 2].map((k) =>
        row.reduce(
          (sum, x, j) => sum + x * (weight.data as Float32Array)[k * width + j]!,
          (bias.data as Float32Array)[k]!,
        ),
      );
      const total = logits.reduce((sum, z) => sum + Math.exp(z), 0);
      for (const [k, z] of logits.entries()) expect(Math.exp(z) / total).toBeCloseTo(golden.probabilities[i]![k]!, 3);
    }
  });

  it('chooses a strength by folds and returns logits for every sample that were made without it', async () => {
    const result = await fitLinearProbe(engine, features, golden.labels, 3, {
      foldOf: golden.labels.map((_, i) => i % 5),
    });
    expect(result.crossValidation.map(({ strength }) => strength)).toEqual([0.001, 0.01, 0.1, 1, 10]);
    expect(result.crossValidation.map(({ strength }) => strength)).toContain(result.strength);
    const chosen = result.crossValidation.find(({ strength }) => strength === result.strength)!;
    const right = golden.labels.filter((label, i) => {
      const row = result.outOfFold!.subarray(i * 3, (i + 1) * 3);
      return row.indexOf(Math.max(...row)) === label;
    }).length;
    expect(right / n).toBeCloseTo(chosen.accuracy, 12);
  });

  it('fits a softer head at a part of the strength', async () => {
    const soft = await fitLinearProbe(engine, features, golden.labels, 3, { strengths: [1], soften: 100 });
    const same = await fitLinearProbe(engine, features, golden.labels, 3, { strengths: [0.01] });
    expect(soft.weight).toEqual(same.weight);
  });

  it('learns from soft labels as from images that stand there once for each class', async () => {
    const labels = golden.labels.flatMap((label) => [label, (label + 1) % 3]);
    // Of one deviation: how far columns' own are shrunk depends on how many rows there are.
    const columns = Array.from({ length: width }, (_, j) => golden.features.map((row) => row[j]!));
    const [means, spreads] = [columns.map(meanOf), columns.map((column) => Math.sqrt(meanOf(column.map((x) => (x - meanOf(column)) ** 2))))]; // prettier-ignore
    const rows = golden.features.map((row) => row.map((x, j) => (x - means[j]!) / spreads[j]!));
    const features = tensor('float32', [n, width], Float32Array.from(rows.flat()));
    const twice = tensor('float32', [2 * n, width], Float32Array.from(rows.flatMap((row) => [...row, ...row])));
    const targets = Float32Array.from(golden.labels.flatMap((label) => [0, 1, 2].map((k) => (k === label || k === (label + 1) % 3 ? 0.5 : 0)))); // prettier-ignore
    const soft = await fitLinearProbe(engine, features, golden.labels, 3, { strengths: [1], targets });
    // As many images twice at half the strength: the same objective.
    const each = await fitLinearProbe(engine, twice, labels, 3, { strengths: [0.5] });
    const [a, b] = [headLogits(features, soft), headLogits(features, each)];
    for (const [i, z] of a.entries()) expect(z).toBeCloseTo(b[i]!, 2);
    const hard = headLogits(features, await fitLinearProbe(engine, features, golden.labels, 3, { strengths: [1] }));
    expect(Math.max(...hard.map((z, i) => Math.abs(z - a[i]!)))).toBeGreaterThan(0.5);
  });

  it('gives each part of the features its weight, whatever its size', async () => {
    const parts = [{ width: 4, weight: 1 }, { width: width - 4, weight: 0.5 }]; // prettier-ignore
    const fitted = async (scale: number, of: typeof parts | undefined): Promise<Float32Array> => {
      const data = Float32Array.from(golden.features.flatMap((row) => row.map((x, j) => (j < 4 ? x : scale * x))));
      const scaled = tensor('float32', [n, width], data);
      return headLogits(scaled, await fitLinearProbe(engine, scaled, golden.labels, 3, { strengths: [1], parts: of }));
    };
    const [one, other] = [await fitted(1, parts), await fitted(100, parts)];
    for (const [i, z] of one.entries()) expect(other[i]).toBeCloseTo(z, 2);
    const [without, drowned] = [await fitted(1, undefined), await fitted(100, undefined)];
    expect(Math.max(...without.map((z, i) => Math.abs(z - drowned[i]!)))).toBeGreaterThan(0.5);
    await expect(fitted(1, parts.slice(1))).rejects.toThrow(
      `Parts of ${width - 4} features in all, but there are ${width}`,
    );
  });

  it('brings parts into proportion and leaves their columns as they are to each other', () => {
    const parts = [{ width: 2, weight: 1 }, { width: 2, weight: 0.5 }]; // prettier-ignore
    const data = Float32Array.from({ length: 40 }, (_, i) => [1, 3, 100, 200][i % 4]! * Math.sin(i + 1) + 7);
    const result = inProportion(tensor('float32', [10, 4], data), parts).data as Float32Array;
    const spread = (of: Float32Array, j: number): number => {
      const column = [...of].filter((_, i) => i % 4 === j);
      return Math.sqrt(meanOf(column.map((x) => (x - meanOf(column)) ** 2)));
    };
    const norm = (from: number): number => Math.hypot(spread(result, from), spread(result, from + 1));
    expect(norm(2) / norm(0)).toBeCloseTo(0.5, 5);
    expect(spread(result, 3) / spread(result, 2)).toBeCloseTo(spread(data, 3) / spread(data, 2), 5);
    expect(inProportion(tensor('float32', [10, 4], data), undefined).data).toBe(data);
  });

  it('gives logits of all rows by heads of some of them', async () => {
    const all = new Uint8Array(n).fill(1);
    const some = all.map((_, i) => (i % 2 === 0 ? 1 : 0));
    const [whole, half] = await logitsBySubset(engine, features, golden.labels, 3, [all, some], { strength: 0.5 });
    const expected = headLogits(features, await fitLinearProbe(engine, features, golden.labels, 3, { strengths: [0.5] })); // prettier-ignore
    for (const [i, z] of whole!.entries()) expect(z).toBeCloseTo(expected[i]!, 2);
    // What it did not learn from counts for nothing.
    const changed = golden.labels.map((label, i) => (i % 2 === 0 ? label : (label + 1) % 3));
    const [same] = await logitsBySubset(engine, features, changed, 3, [some], { strength: 0.5 });
    expect(same).toEqual(half);
  });

  it('goes without cross-validation where there are no folds', async () => {
    const one = tensor('float32', [3, width], (features.data as Float32Array).slice(0, 3 * width));
    const result = await fitLinearProbe(engine, one, [0, 1, 2], 3);
    expect(result.outOfFold).toBeUndefined();
    expect(result.crossValidation).toEqual([]);
  });

  it('refuses labels that do not fit', async () => {
    await expect(fitLinearProbe(engine, features, [0], 3)).rejects.toThrow(RangeError);
  });
});
