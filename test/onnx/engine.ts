import * as ort from 'onnxruntime-node';
import { fromNumbers, sizeOf, type DataType, type Tensor, type TensorData } from '../../src/core/tensor.ts';
import { randomStream } from '../../src/core/random.ts';
import type { Graph } from '../../src/onnx/graph.ts';

/** ONNX Runtime as a witness: the same bytes, the same feeds, no optimization. */
export async function run(
  model: Uint8Array,
  feeds: Readonly<Record<string, Tensor>>,
): Promise<Record<string, { dtype: DataType; shape: number[]; data: TensorData }>> {
  const session = await ort.InferenceSession.create(model, { graphOptimizationLevel: 'disabled', logSeverityLevel: 3 });
  try {
    const tensors = Object.fromEntries(Object.entries(feeds).map(([name, value]) => [name, toEngine(value)]));
    const results = await session.run(tensors);
    return Object.fromEntries(
      Object.entries(results).map(([name, value]) => [
        name,
        { dtype: value.type as DataType, shape: [...value.dims], data: value.data as unknown as TensorData },
      ]),
    );
  } finally {
    await session.release();
  }
}

function toEngine({ dtype, shape, data }: Tensor): ort.Tensor {
  return new ort.Tensor(dtype as 'float32', data as Float32Array, shape);
}

/** A feed for each input: normal numbers, small integers, true; a side that the graph leaves open is 2. */
export function randomFeeds(graph: Graph, seed = 1): Record<string, Tensor> {
  const stream = randomStream('onnx test', seed);
  return Object.fromEntries(
    graph.inputs.map(({ name, type }) => {
      const shape = type.shape!.map((side) => (typeof side === 'number' ? side : 2));
      const values = Array.from({ length: sizeOf(shape) }, () => stream.normal());
      if (type.dtype === 'bool')
        return [
          name,
          fromNumbers(
            'bool',
            shape,
            values.map(() => 1),
          ),
        ];
      const floating = type.dtype.startsWith('float');
      return [name, fromNumbers(type.dtype, shape, floating ? values : values.map((_, i) => i % 4))];
    }),
  );
}

/** The largest difference relative to the largest expected magnitude; Infinity where shapes or types differ, or one is not finite. */
export function relativeError(
  got: { dtype: DataType; shape: readonly number[]; data: TensorData },
  expected: { dtype: DataType; shape: readonly number[]; data: TensorData },
): number {
  if (got.dtype !== expected.dtype || got.shape.join() !== expected.shape.join()) return Infinity;
  let [difference, scale] = [0, 0];
  for (let i = 0; i < expected.data.length; i++) {
    const [a, b] = [Number(got.data[i]), Number(expected.data[i])];
    if (Object.is(a, b)) continue;
    if (!Number.isFinite(a) || !Number.isFinite(b)) return Infinity;
    difference = Math.max(difference, Math.abs(a - b));
    scale = Math.max(scale, Math.abs(b));
  }
  if (difference === 0) return 0;
  return difference / scale;
}
