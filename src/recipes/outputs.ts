import { RunError } from '../core/errors.ts';
import type { OnProgress } from '../core/progress.ts';
import { sizeOf, tensor, type Tensor } from '../core/tensor.ts';
import type { EvaluationCrops, ImageSource } from '../batches/evaluation-crops.ts';
import type { Graph } from '../onnx/graph.ts';
import { writeModel } from '../onnx/write.ts';
import type { Engine } from '../runtime/engine.ts';

/** Images a run of a network for inference: enough for the engine's threads, little memory. */
const BATCH = 32;

/**
 * Runs a network of one input, cropped pixels, and one output over images: the one path of evaluation, features and calibration.
 * @returns float32 [sources.length, ...], in the order of `sources`
 * @throws RunError naming an image that can't be decoded any more: it could be when the data was read.
 */
export async function outputsOf(
  engine: Engine,
  graph: Graph,
  crops: EvaluationCrops,
  sources: readonly ImageSource[],
  options: {
    readonly stage: string;
    /** Images a run, for a graph that takes no other number. */
    readonly fixedBatch?: number;
    readonly onProgress?: OnProgress | undefined;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<Tensor> {
  const { fixedBatch, stage, signal, onProgress } = options;
  const [input, output] = [graph.inputs[0]!.name, graph.outputs[0]!.name];
  const session = await engine.load(writeModel({ graph }), { name: stage, deterministic: true });
  try {
    let values: Float32Array | undefined;
    let shape: readonly number[] = [];
    let done = 0;
    for await (const { crops: pixels, positions } of crops.batches(sources, {
      batchSize: fixedBatch ?? BATCH,
      ...(signal && { signal }),
      onQuarantined: ({ file, reason }) => {
        throw new RunError(`${file} could be read before and can't be now: ${reason}.`);
      },
    })) {
      const feeds = { [input]: fixedBatch === undefined ? pixels : filledUp(pixels, fixedBatch) };
      const value = (await engine.run(session, { feeds }, signal ? { signal } : {}))[output]!;
      shape = value.shape.slice(1);
      const width = sizeOf(shape);
      values ??= new Float32Array(sources.length * width);
      for (const [i, position] of positions.entries())
        values.set((value.data as Float32Array).subarray(i * width, (i + 1) * width), position * width);
      done += positions.length;
      onProgress?.({ type: 'step', stage, done, total: sources.length, unit: 'images' });
    }
    return tensor('float32', [sources.length, ...shape], values ?? new Float32Array(0));
  } finally {
    await session.release();
  }
}

/** With images of zeros behind the others. */
function filledUp(pixels: Tensor, count: number): Tensor {
  if (pixels.shape[0] === count) return pixels;
  const shape = [count, ...pixels.shape.slice(1)];
  const data = new Uint8Array(sizeOf(shape));
  data.set(pixels.data as Uint8Array);
  return tensor('uint8', shape, data);
}
