import * as ort from 'onnxruntime-node';
import { fromNumbers, type Tensor, type TensorData } from '../../src/core/tensor.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { writeModel } from '../../src/onnx/write.ts';

/** Runs a graph on the engine, once. */
export async function run(
  graph: Graph,
  feeds: Readonly<Record<string, Tensor>>,
  options: ort.InferenceSession.SessionOptions = {},
): Promise<Record<string, Tensor>> {
  const session = await ort.InferenceSession.create(writeModel({ graph }), { logSeverityLevel: 3, ...options });
  try {
    const given = Object.fromEntries(graph.inputs.map(({ name }) => [name, toEngine(feeds[name]!)]));
    const results = await session.run(given);
    return Object.fromEntries(Object.entries(results).map(([name, value]) => [name, fromEngine(value)]));
  } finally {
    await session.release();
  }
}

/** The engine's own block size: channels that lie together after ReorderInput; 1 without the blocked layout. */
export async function blockSize(): Promise<number> {
  const { GraphBuilder } = await import('../../src/onnx/builder.ts');
  const { NCHWC_DOMAIN } = await import('../../src/onnx/graph.ts');
  const b = new GraphBuilder('ramp');
  const x = b.input('x', 'float32', [1, 64, 2, 2]);
  const y = b.op('ReorderInput', [x], {}, { domain: NCHWC_DOMAIN });
  const graph = { ...b.build(), outputs: [{ name: y, type: { dtype: 'float32', shape: [1, 64, 2, 2] } as const }] };
  const ramp = fromNumbers(
    'float32',
    [1, 64, 2, 2],
    Array.from({ length: 256 }, (_, i) => i),
  );
  const [result] = Object.values(await run(graph, { x: ramp }));
  const values = result!.data as Float32Array;
  return values.findIndex((value, i) => value !== i * 4);
}

function toEngine(value: Tensor): ort.Tensor {
  return new ort.Tensor(value.dtype as 'float32', value.data as Float32Array, value.shape);
}

function fromEngine(value: ort.Tensor): Tensor {
  return { dtype: value.type as Tensor['dtype'], shape: value.dims, data: value.data as TensorData };
}
