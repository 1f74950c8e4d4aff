import { RunError } from '../../core/errors.ts';
import { timed, waited, type Track } from '../../core/profile.ts';
import type { OnProgress } from '../../core/progress.ts';
import { sizeOf, tensor, type Tensor } from '../../core/tensor.ts';
import type { CropBatch, CropBatchOptions, ImageSource } from '../../batches/evaluation-crops.ts';
import type { Graph } from '../../onnx/graph.ts';
import { writeModel } from '../../onnx/write.ts';
import type { Engine } from '../../runtime/engine.ts';
import { WAITS } from '../../train/profile-summary.ts';

/** Images a run of a network for inference: enough for the engine's threads, little memory. */
const BATCH = 32;

/** Where crops come from: `EvaluationCrops`, or those varied. */
interface CropSource<S> {
  batches(sources: readonly S[], options: CropBatchOptions): AsyncIterable<CropBatch>;
}

interface OutputsOptions {
  /** For messages; behind the last colon stands what is done, as it is called where time is measured. */
  readonly stage: string;
  /** Images a run, for a graph that takes no other number. */
  readonly fixedBatch?: number;
  readonly onProgress?: OnProgress | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly track?: Track | undefined;
}

/**
 * Runs a network of one input, cropped pixels, and one output over images: the one path of evaluation, features and calibration.
 * @returns float32 [sources.length, ...], in the order of `sources`
 * @throws RunError naming an image that can't be decoded any more: it could be when the data was read.
 */
export function outputsOf<S extends ImageSource>(
  engine: Engine,
  graph: Graph,
  crops: CropSource<S>,
  sources: readonly S[],
  options: OutputsOptions,
): Promise<Tensor> {
  const span = options.stage.split(': ').at(-1)!;
  return timed(options.track, span, () => outputs(engine, graph, crops, sources, span, options), sources.length);
}

async function outputs<S extends ImageSource>(
  engine: Engine,
  graph: Graph,
  crops: CropSource<S>,
  sources: readonly S[],
  span: string,
  { fixedBatch, stage, signal, onProgress, track }: OutputsOptions,
): Promise<Tensor> {
  const [input, output] = [graph.inputs[0]!.name, graph.outputs[0]!.name];
  const session = await engine.load(writeModel({ graph }), { name: stage, span, deterministic: true });
  try {
    let values: Float32Array | undefined;
    let shape: readonly number[] = [];
    let done = 0;
    const batches = crops.batches(sources, {
      batchSize: fixedBatch ?? BATCH,
      ...(signal && { signal }),
      onQuarantined: ({ file, reason }) => {
        throw new RunError(`${file} could be read before and can't be now: ${reason}.`);
      },
    });
    for await (const { crops: pixels, positions } of waited(track, WAITS.crops, batches)) {
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
