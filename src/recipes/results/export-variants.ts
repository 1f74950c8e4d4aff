import type { EvaluationCrops, ImageSource } from '../../batches/evaluation-crops.ts';
import { tensor, type Tensor } from '../../core/tensor.ts';
import { shuffled, randomStream } from '../../core/random.ts';
import type { DeployableParts } from '../../export/deployable.ts';
import { measureVariants, type VariantMeasurement } from '../../export/measure.ts';
import { makeVariant, type ModelVariant } from '../../export/variants.ts';
import type { Variant } from '../../models/description.ts';
import type { Engine } from '../../runtime/engine.ts';

/** Training images that the ranges of int8 activations are found on. */
const CALIBRATION_IMAGES = 128;

export interface VariantRequest {
  readonly engine: Engine;
  readonly crops: EvaluationCrops;
  readonly parts: Omit<DeployableParts, 'variant'>;
  /** Images that ranges are found on, and those that every form is measured on. */
  readonly calibrateOn: readonly ImageSource[];
  readonly measureOn: readonly (ImageSource & { readonly label?: number })[];
  readonly seed: number;
  readonly signal?: AbortSignal | undefined;
}

/** The float32 form and others, each measured: accuracy where all images have labels, size, latency. */
export async function exportVariants(
  request: VariantRequest,
  variants: readonly Variant[],
): Promise<{ readonly made: readonly ModelVariant[]; readonly measured: readonly VariantMeasurement[] }> {
  const { engine, crops, parts, calibrateOn, measureOn, seed } = request;
  const cancel = request.signal === undefined ? {} : { signal: request.signal };
  const calibration = variants.includes('int8')
    ? await cropsOf(
        crops,
        shuffled(calibrateOn, randomStream(seed, 'int8-calibration')).slice(0, CALIBRATION_IMAGES),
        request,
      )
    : undefined;
  const labels = measureOn.map(({ label }) => label);
  const made: ModelVariant[] = [];
  for (const variant of new Set<Variant>(['float32', ...variants]))
    made.push(await makeVariant(engine, parts, variant, { ...cancel, ...(calibration && { calibration }) }));
  const measured = await measureVariants(
    engine,
    made.map(({ variant, network, file }) => ({ variant, network, file: file.bytes })),
    parts.preprocessing,
    await cropsOf(crops, measureOn, request),
    labels.includes(undefined) ? undefined : (labels as number[]),
    cancel,
  );
  return { made, measured };
}

async function cropsOf(
  crops: EvaluationCrops,
  samples: readonly ImageSource[],
  { parts, signal }: VariantRequest,
): Promise<Tensor> {
  const [h, w] = parts.preprocessing.inputSize;
  const all = new Uint8Array(samples.length * h * w * 3);
  for await (const { crops: pixels, positions } of crops.batches(samples, { batchSize: 32, ...(signal && { signal }) }))
    for (const [i, position] of positions.entries())
      all.set((pixels.data as Uint8Array).subarray(i * h * w * 3, (i + 1) * h * w * 3), position * h * w * 3);
  return tensor('uint8', [samples.length, h, w, 3], all);
}
