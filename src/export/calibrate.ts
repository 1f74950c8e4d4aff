import type { Tensor } from '../core/tensor.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { pruned, type Graph } from '../onnx/graph.ts';
import { writeModel } from '../onnx/write.ts';
import type { Engine } from '../runtime/engine.ts';
import { addToHistogram, emptyHistogram, type Histogram, type Range } from './activation-range.ts';
import type { QuantizationPlan } from './quantization-plan.ts';
import { inputChannelAxis } from './round-weights.ts';

export interface CalibrationOptions {
  readonly signal?: AbortSignal;
}

export interface Calibration {
  /** How the values of each activation of the plan are distributed. */
  readonly histograms: ReadonlyMap<string, Histogram>;
  /** Mean of each channel of the products' inputs, by the input's name. */
  readonly inputMeans: ReadonlyMap<string, readonly number[]>;
}

/**
 * Runs a float32 network and counts how the values of its activations are distributed: once for their
 * extremes and means, once for what lies between.
 * @param batches feeds of the graph, the same at each call: a few images each, since every activation of
 *   a batch is in memory at once
 */
export async function calibrate(
  engine: Engine,
  graph: Graph,
  plan: QuantizationPlan,
  batches: () => AsyncIterable<Readonly<Record<string, Tensor>>>,
  options: CalibrationOptions = {},
): Promise<Calibration> {
  const { values } = plan;
  const { ranges, inputMeans } = await collectRanges(engine, graph, plan, batches, options);
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
  return { histograms, inputMeans };
}

async function collectRanges(
  engine: Engine,
  graph: Graph,
  { values, products }: QuantizationPlan,
  batches: () => AsyncIterable<Readonly<Record<string, Tensor>>>,
  options: CalibrationOptions,
): Promise<{ ranges: Map<string, Range>; inputMeans: Map<string, number[]> }> {
  const b = GraphBuilder.from({ ...graph, outputs: [] });
  const extremes = values.map((name) => ({
    name,
    min: b.output(b.op('ReduceMin', [name], { keepdims: 0 })),
    max: b.output(b.op('ReduceMax', [name], { keepdims: 0 })),
  }));
  const inputs = new Map(products.map((product) => [product.inputs[0]!, inputChannelAxis(product)]));
  const channelMeans = [...inputs].map(([name, axis]) => {
    const { shape } = b.type(name);
    const rank = shape?.length ?? 0;
    const others = Array.from({ length: rank }, (_, i) => i).filter((i) => i !== (axis + rank) % rank);
    return { name, mean: b.output(b.op('ReduceMean', [name, b.int(others)], { keepdims: 0 })) };
  });
  const session = await engine.load(writeModel({ graph: pruned(b.build()) }), { name: 'the network' });
  const ranges = new Map<string, Range>();
  const inputMeans = new Map<string, number[]>();
  let images = 0;
  try {
    for await (const feeds of batches()) {
      const results = await engine.run(session, { feeds }, options);
      const count = feeds[graph.inputs[0]!.name]!.shape[0]!;
      images += count;
      for (const { name, mean } of channelMeans) {
        const before = inputMeans.get(name);
        const now = [...(results[mean]!.data as Float32Array)];
        inputMeans.set(
          name,
          now.map((value, i) => {
            const old = before?.[i] ?? 0;
            return old + ((value - old) * count) / images;
          }),
        );
      }
      for (const { name, min, max } of extremes) {
        const [low, high] = [min, max].map((output) => (results[output]!.data as Float32Array)[0]!) as [number, number];
        const seen = ranges.get(name);
        ranges.set(name, { min: Math.min(seen?.min ?? low, low), max: Math.max(seen?.max ?? high, high) });
      }
    }
  } finally {
    await session.release();
  }
  return { ranges, inputMeans };
}

/** The same graph with other outputs. */
function returning(graph: Graph, names: readonly string[]): Graph {
  const type = { dtype: 'float32', shape: undefined } as const;
  return pruned({ ...graph, outputs: names.map((name) => ({ name, type: graph.types.get(name) ?? type })) });
}
