import type { Tensor } from '../core/tensor.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { pruned, type Graph } from '../onnx/graph.ts';
import { writeModel } from '../onnx/write.ts';
import type { Engine } from '../runtime/engine.ts';
import { addToHistogram, emptyHistogram, type Histogram, type Range } from './activation-range.ts';

export interface CalibrationOptions {
  readonly signal?: AbortSignal;
}

/**
 * Runs a float32 network and counts how the values of its activations are distributed: once for their
 * extremes, once for what lies between.
 * @param values names of float32 values of the graph
 * @param batches feeds of the graph, the same at each call: a few images each, since every activation of
 *   a batch is in memory at once
 */
export async function collectHistograms(
  engine: Engine,
  graph: Graph,
  values: readonly string[],
  batches: () => AsyncIterable<Readonly<Record<string, Tensor>>>,
  options: CalibrationOptions = {},
): Promise<Map<string, Histogram>> {
  const ranges = await collectRanges(engine, graph, values, batches, options);
  const histograms = new Map([...ranges].map(([name, range]) => [name, emptyHistogram(range)]));
  const inputs = new Set(graph.inputs.map((input) => input.name));
  const observed = values.filter((name) => !inputs.has(name));
  const session = await engine.load(writeModel({ graph: returning(graph, observed) }), { name: 'the network' });
  try {
    for await (const feeds of batches()) {
      const results = await engine.run(session, { feeds, fetch: observed }, options);
      for (const [name, histogram] of histograms)
        addToHistogram(histogram, (results[name] ?? feeds[name]!).data as Float32Array);
    }
  } finally {
    await session.release();
  }
  return histograms;
}

async function collectRanges(
  engine: Engine,
  graph: Graph,
  values: readonly string[],
  batches: () => AsyncIterable<Readonly<Record<string, Tensor>>>,
  options: CalibrationOptions,
): Promise<Map<string, Range>> {
  const b = GraphBuilder.from({ ...graph, outputs: [] });
  const extremes = values.map((name) => ({
    name,
    min: b.output(b.op('ReduceMin', [name], { keepdims: 0 })),
    max: b.output(b.op('ReduceMax', [name], { keepdims: 0 })),
  }));
  const session = await engine.load(writeModel({ graph: pruned(b.build()) }), { name: 'the network' });
  const ranges = new Map<string, Range>();
  try {
    for await (const feeds of batches()) {
      const results = await engine.run(session, { feeds }, options);
      for (const { name, min, max } of extremes) {
        const [low, high] = [min, max].map((output) => (results[output]!.data as Float32Array)[0]!) as [number, number];
        const seen = ranges.get(name);
        ranges.set(name, { min: Math.min(seen?.min ?? low, low), max: Math.max(seen?.max ?? high, high) });
      }
    }
  } finally {
    await session.release();
  }
  return ranges;
}

/** The same graph with other outputs. */
function returning(graph: Graph, names: readonly string[]): Graph {
  const type = { dtype: 'float32', shape: undefined } as const;
  return pruned({ ...graph, outputs: names.map((name) => ({ name, type: graph.types.get(name) ?? type })) });
}
