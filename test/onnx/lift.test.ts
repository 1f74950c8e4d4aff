import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readModel } from '../../src/onnx/read.ts';
import { specialize } from '../../src/onnx/specialize.ts';
import { writeModel } from '../../src/onnx/write.ts';
import { INTERNAL_OPSET } from '../../src/onnx/graph.ts';
import { randomFeeds, relativeError, run } from './engine.ts';

/** Small models by make_models.py: one for each op whose form or meaning changed since opset 11, and many others. */
const folder = new URL('golden/models/', import.meta.url);
const files = readdirSync(folder);

/** A kernel that is another one in the newer opset may round otherwise; all else is the same kernel. */
const TOLERANCE = 1e-6;

/** The engine has these operators in older opsets only: the lowest opset that says the same is what runs. */
const WITHOUT_NEWEST_KERNEL = /^roialign/;

describe('a lifted model computes what the original computes', () => {
  it.each(files)('%s', async (file) => {
    const bytes = readFileSync(new URL(file, folder));
    const { graph } = readModel(bytes, { source: file });
    const feeds = randomFeeds(graph);
    const expected = await run(bytes, feeds);
    const inputs = Object.fromEntries(Object.entries(feeds).map(([name, value]) => [name, value.shape]));
    const specialized = specialize(graph, { inputs });
    const versions = [writeModel({ graph }), writeModel({ graph: specialized })];
    if (!WITHOUT_NEWEST_KERNEL.test(file)) versions.push(writeModel({ graph, minimumOpset: INTERNAL_OPSET }));
    const results = await Promise.all(versions.map((version) => run(version, feeds)));
    for (const [i, got] of results.entries())
      for (const [name, value] of Object.entries(expected))
        expect(relativeError(got[name]!, value), `${name} of version ${i}`).toBeLessThanOrEqual(TOLERANCE);
    for (const { name, type } of specialized.outputs) {
      expect(type.dtype, name).toBe(expected[name]!.dtype);
      // What inference leaves open must still be of the right rank.
      if (type.shape === undefined) continue;
      expect(
        type.shape.map((side, i) => (typeof side === 'number' ? side : expected[name]!.shape[i])),
        name,
      ).toEqual(expected[name]!.shape);
    }
  });
});

describe('a lifted model has no open sides once its inputs are known', () => {
  // Loop and If give no shapes: the number of turns, or the branch, is only known at run time.
  const determined = files.filter((file) => !/^(loop|if_dynamic|dynamic)/.test(file));
  it.each(determined)('%s', (file) => {
    const { graph } = readModel(readFileSync(new URL(file, folder)));
    const inputs = Object.fromEntries(Object.entries(randomFeeds(graph)).map(([name, value]) => [name, value.shape]));
    const { outputs } = specialize(graph, { inputs });
    for (const { name, type } of outputs)
      expect(
        type.shape?.every((side) => typeof side === 'number'),
        name,
      ).toBe(true);
  });
});
