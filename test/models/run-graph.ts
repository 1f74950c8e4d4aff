import * as ort from 'onnxruntime-node';
import type { Tensor } from '../../src/core/tensor.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { writeModel } from '../../src/onnx/write.ts';

/** Runs a graph of one float32 input and returns its outputs by name. */
export async function runGraph(graph: Graph, input: Tensor): Promise<Record<string, ort.Tensor>> {
  const session = await ort.InferenceSession.create(writeModel({ graph }), { logSeverityLevel: 3 });
  const feeds = { [graph.inputs[0]!.name]: new ort.Tensor('float32', input.data as Float32Array, [...input.shape]) };
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}
