import { tensor, type Tensor } from '../core/tensor.ts';
import { networkOnCrops, normaliseGraph, type Preprocessing } from '../models/preprocessing.ts';
import { foldConstants } from '../onnx/fold.ts';
import type { Graph } from '../onnx/graph.ts';
import { writeModel } from '../onnx/write.ts';
import type { Engine } from '../runtime/engine.ts';
import { chooseRange, RANGE_METHODS, type RangeMethod } from './activation-range.ts';
import { calibrate } from './calibrate.ts';
import { foldBatchNorm } from './fold-batch-norm.ts';
import { planQuantization } from './quantization-plan.ts';
import { quantize, type QuantizeOptions } from './quantize.ts';
import { meanDivergence } from './softmax.ts';

export interface Int8Options extends QuantizeOptions {
  /** Default: each is tried, and the one whose probabilities are nearest to float32's is taken. */
  readonly method?: RangeMethod;
  readonly signal?: AbortSignal;
}

export interface Int8Network {
  readonly graph: Graph;
  /** How the ranges of activations were chosen. */
  readonly method: RangeMethod;
  /** Mean Kullback-Leibler divergence of its probabilities from float32's on the calibration crops, in nats. */
  readonly divergence: number;
  /** Operators that run in int8. */
  readonly products: number;
}

/** Every activation of a batch is in memory at once. */
const BATCH_SIZE = 4;

/**
 * A float32 network rounded to int8, calibrated on training crops.
 * @param network one float32 input; the logits [N, K] are its first output (`networkToOutputs`)
 * @param crops uint8 [n, h, w, 3]; 100 to 200 of all classes will do
 * @throws RangeError without crops, or for a network without a product to round
 */
export async function toInt8(
  engine: Engine,
  network: Graph,
  preprocessing: Preprocessing,
  crops: Tensor,
  options: Int8Options = {},
): Promise<Int8Network> {
  if (crops.shape[0] === 0) throw new RangeError('Calibration needs at least one crop, got none.');
  const graph = foldBatchNorm(foldConstants(network, { keep: new Set() }));
  const plan = planQuantization(graph);
  if (plan.products.length === 0)
    throw new RangeError(`"${network.name}" has no convolution or product with float32 weights to round to int8.`);
  const cancel = options.signal === undefined ? {} : { signal: options.signal };
  const input = graph.inputs[0]!.name;
  const normalise = await engine.load(writeModel({ graph: normaliseGraph(preprocessing) }), { name: 'normalise' });
  const { histograms, inputMeans } = await (async () => {
    try {
      const batches = async function* (): AsyncGenerator<Record<string, Tensor>> {
        for (const crop of slices(crops, BATCH_SIZE)) {
          const { input: values } = await engine.run(normalise, { feeds: { crop } }, cancel);
          yield { [input]: values! };
        }
      };
      return await calibrate(engine, graph, plan, batches, cancel);
    } finally {
      await normalise.release();
    }
  })();

  const expected = await logitsOf(engine, network, preprocessing, crops, cancel);
  let best: Int8Network | undefined;
  for (const method of options.method === undefined ? RANGE_METHODS : [options.method]) {
    const ranges = new Map([...histograms].map(([name, histogram]) => [name, chooseRange(histogram, method)]));
    const candidate = quantize(graph, plan, ranges, { inputMeans, ...options });
    const actual = await logitsOf(engine, candidate, preprocessing, crops, cancel);
    const divergence = meanDivergence(expected, actual, crops.shape[0]!);
    if (best === undefined || divergence < best.divergence)
      best = { graph: candidate, method, divergence, products: plan.products.length };
  }
  return best!;
}

/** Logits [n * K] of a network on crops. */
export async function logitsOf(
  engine: Engine,
  network: Graph,
  preprocessing: Preprocessing,
  crops: Tensor,
  options: { readonly signal?: AbortSignal } = {},
): Promise<Float32Array> {
  const output = network.outputs[0]!.name;
  const session = await engine.load(writeModel({ graph: networkOnCrops(network, preprocessing) }), {
    name: 'the network',
  });
  try {
    const parts: Float32Array[] = [];
    for (const crop of slices(crops, 16)) {
      const result = await engine.run(session, { feeds: { crop }, fetch: [output] }, options);
      parts.push(result[output]!.data as Float32Array);
    }
    const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  } finally {
    await session.release();
  }
}

function* slices(crops: Tensor, size: number): Generator<Tensor> {
  const [count, ...shape] = crops.shape as [number, ...number[]];
  const bytes = crops.data.length / count;
  for (let from = 0; from < count; from += size) {
    const to = Math.min(from + size, count);
    yield tensor('uint8', [to - from, ...shape], (crops.data as Uint8Array).subarray(from * bytes, to * bytes));
  }
}
