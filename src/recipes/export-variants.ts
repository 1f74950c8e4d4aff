import type { EvaluationCrops } from '../batches/evaluation-crops.ts';
import { tensor, type Tensor } from '../core/tensor.ts';
import { shuffled, randomStream } from '../core/random.ts';
import type { DeployableParts } from '../export/deployable.ts';
import { measureVariants, type VariantMeasurement } from '../export/measure.ts';
import { makeVariant, type ModelVariant } from '../export/variants.ts';
import type { Variant } from '../models/description.ts';
import type { Engine } from '../runtime/engine.ts';
import type { LabelledSample, TrainingData } from './prepare-data.ts';

/** Training images that the ranges of int8 activations are found on. */
const CALIBRATION_IMAGES = 128;

export interface VariantRequest {
  readonly engine: Engine;
  readonly crops: EvaluationCrops;
  readonly parts: Omit<DeployableParts, 'variant'>;
  readonly data: Pick<TrainingData, 'train' | 'score'>;
  readonly seed: number;
  readonly signal?: AbortSignal | undefined;
}

/** The float32 form and others, each measured on the score images: accuracy, size, latency. */
export async function exportVariants(
  request: VariantRequest,
  variants: readonly Variant[],
): Promise<{ readonly made: readonly ModelVariant[]; readonly measured: readonly VariantMeasurement[] }> {
  const { engine, crops, parts, data, seed } = request;
  const cancel = request.signal === undefined ? {} : { signal: request.signal };
  const calibration = variants.includes('int8')
    ? await cropsOf(
        crops,
        shuffled(data.train, randomStream(seed, 'int8-calibration')).slice(0, CALIBRATION_IMAGES),
        request,
      )
    : undefined;
  const made: ModelVariant[] = [];
  for (const variant of new Set<Variant>(['float32', ...variants]))
    made.push(await makeVariant(engine, parts, variant, { ...cancel, ...(calibration && { calibration }) }));
  const measured = await measureVariants(
    engine,
    made.map(({ variant, network, file }) => ({ variant, network, file: file.bytes })),
    parts.preprocessing,
    await cropsOf(crops, data.score, request),
    data.score.map(({ label }) => label),
    cancel,
  );
  return { made, measured };
}

async function cropsOf(
  crops: EvaluationCrops,
  samples: readonly LabelledSample[],
  { parts, signal }: VariantRequest,
): Promise<Tensor> {
  const [h, w] = parts.preprocessing.inputSize;
  const all = new Uint8Array(samples.length * h * w * 3);
  for await (const { crops: pixels, positions } of crops.batches(samples, { batchSize: 32, ...(signal && { signal }) }))
    for (const [i, position] of positions.entries())
      all.set((pixels.data as Uint8Array).subarray(i * h * w * 3, (i + 1) * h * w * 3), position * h * w * 3);
  return tensor('uint8', [samples.length, h, w, 3], all);
}
