import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Graph } from '../../src/onnx/graph.ts';
import { readModel } from '../../src/onnx/read.ts';
import { specialize } from '../../src/onnx/specialize.ts';
import { writeModel } from '../../src/onnx/write.ts';
import { randomFeeds, relativeError, run } from './engine.ts';

const shared = new URL('../../../shared/models/', import.meta.url);
const available = existsSync(shared);
const files = available
  ? [
      ...readdirSync(shared).filter((file) => file.endsWith('.onnx')),
      ...readdirSync(new URL('zoo/', shared))
        .filter((name) => !name.endsWith('.json'))
        .map((name) => `zoo/${name}/model.onnx`),
    ]
  : [];

describe.skipIf(!available)('models of ../shared, read and written', () => {
  it.each(files)('%s computes the same', async (file) => {
    const bytes = readFileSync(new URL(file, shared));
    const { graph } = readModel(bytes, { source: file });
    const feeds = randomFeeds(withBatch(graph, 4));
    const expected = await run(bytes, feeds);
    const specialized = specialize(graph, { dims: { N: 4 } });
    const results = await Promise.all(
      [graph, specialized].map((version) => run(writeModel({ graph: version }), feeds)),
    );
    for (const got of results)
      for (const { name } of graph.outputs)
        expect(relativeError(got[name]!, expected[name]!), name).toBeLessThanOrEqual(1e-6);
    const open = [...specialized.types].filter(
      ([, { shape }]) => shape?.some((side) => typeof side !== 'number') !== false,
    );
    expect(open).toEqual([]);
  });
});

function withBatch(graph: Graph, size: number): Graph {
  const inputs = graph.inputs.map(({ name, type }) => ({
    name,
    type: { dtype: type.dtype, shape: type.shape!.map((side) => (side === 'N' ? size : side)) },
  }));
  return { ...graph, inputs };
}
