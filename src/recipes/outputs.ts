import { RunError } from '../core/errors.ts';
import type { OnProgress } from '../core/progress.ts';
import { tensor, type Tensor } from '../core/tensor.ts';
import type { EvaluationCrops, ImageSource } from '../batches/evaluation-crops.ts';
import type { Graph } from '../onnx/graph.ts';
import { writeModel } from '../onnx/write.ts';
import type { Engine } from '../runtime/engine.ts';

/** Images a run of a network for inference: enough for the engine's threads, little memory. */
const BATCH = 32;

/**
 * Runs a network from cropped pixels (`onPixels`) over images: the one path of evaluation, features and calibration.
 * @returns [sources.length, D] float32, in the order of `sources`
 * @throws RunError naming an image that can't be decoded any more: it could be when the data was read.
 */
export async function outputsOf(
  engine: Engine,
  graph: Graph,
  crops: EvaluationCrops,
  sources: readonly ImageSource[],
  options: {
    readonly stage: string;
    readonly onProgress?: OnProgress | undefined;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<Tensor> {
  const session = await engine.load(writeModel({ graph }), { name: options.stage, deterministic: true });
  try {
    let values: Float32Array | undefined;
    let width = 0;
    let done = 0;
    for await (const { crops: pixels, positions } of crops.batches(sources, {
      batchSize: BATCH,
      ...(options.signal && { signal: options.signal }),
      onQuarantined: ({ file, reason }) => {
        throw new RunError(`${file} could be read before and can't be now: ${reason}.`);
      },
    })) {
      const { value } = await engine.run(
        session,
        { feeds: { pixels } },
        options.signal ? { signal: options.signal } : {},
      );
      width = value!.shape[1]!;
      values ??= new Float32Array(sources.length * width);
      for (const [i, position] of positions.entries())
        values.set((value!.data as Float32Array).subarray(i * width, (i + 1) * width), position * width);
      done += positions.length;
      options.onProgress?.({ type: 'step', stage: options.stage, done, total: sources.length, unit: 'images' });
    }
    return tensor('float32', [sources.length, width], values ?? new Float32Array(0));
  } finally {
    await session.release();
  }
}
