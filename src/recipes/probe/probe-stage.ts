import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { timed } from '../../core/profile.ts';
import { readSafetensorsFile, writeSafetensorsFile } from '../../core/safetensors.ts';
import { tensor, type Tensor } from '../../core/tensor.ts';
import { softLabel } from '../../datasets/dataset.ts';
import { featuresOf, type FeatureExtractor } from './features.ts';
import type { Workshop } from '../workshop/workshop.ts';
import { fitLinearProbe } from './linear-probe.ts';
import { foldNumbers } from './out-of-fold.ts';
import type { TrainingData } from '../prepare-data.ts';
import { outOfFoldOutlierScores } from '../results/outlier-scoring.ts';
import type { ResolvedTrainOptions } from '../train-options.ts';

/** Cheap on features that are there. */
const FOLDS = 5;
/** Class means cost nothing, and with a tenth of the images less they are nearly those of all. */
const OUTLIER_FOLDS = 10;

export interface ProbeOutcome {
  readonly weight: Tensor;
  readonly bias: Tensor;
  readonly outOfFold: Float32Array | undefined;
  /** [n] out of fold, as `HeldOutPredictions` has them. */
  readonly outliers: Float32Array | undefined;
}

/**
 * Features and the linear head on them; taken from the stage's folder where it was done before.
 * @param soften see `ProbeOptions`
 */
export async function probeStage(
  workshop: Workshop,
  options: ResolvedTrainOptions,
  data: Pick<TrainingData, 'classes' | 'duplicates'>,
  samples: TrainingData['train'],
  folder: string,
  extractor: FeatureExtractor,
  soften = 1,
): Promise<ProbeOutcome> {
  const file = join(folder, 'head.safetensors');
  if (existsSync(file)) {
    const { tensors } = await readSafetensorsFile(file, { requireChecksum: true });
    return {
      weight: tensors.get('weight')!,
      bias: tensors.get('bias')!,
      outOfFold: tensors.get('out_of_fold')?.data as Float32Array | undefined,
      outliers: tensors.get('outliers')?.data as Float32Array | undefined,
    };
  }
  const { engine, signal, track } = workshop;
  const features = await featuresOf(workshop, extractor, samples);
  const classes = data.classes.length;
  const labels = samples.map(({ label }) => label);
  const folded = foldNumbers(samples, data, options.folds ?? FOLDS, options.seed);
  const fitHead = (): ReturnType<typeof fitLinearProbe> =>
    fitLinearProbe(engine, features, labels, classes, {
      soften,
      parts: extractor.parts,
      foldOf: folded,
      targets: softTargets(samples, data.classes),
      ...(signal && { signal }),
    });
  const result = await timed(track, 'fit the head', fitHead, samples.length);
  workshop.record({ type: 'probe', strength: result.strength, crossValidation: result.crossValidation });
  const tensors: [string, Tensor][] = [
    ['weight', result.weight],
    ['bias', result.bias],
  ];
  if (result.outOfFold !== undefined)
    tensors.push(['out_of_fold', tensor('float32', [samples.length, classes], result.outOfFold)]);
  const embedded = { data: features.data as Float32Array, width: features.shape[1]! };
  const outliers =
    folded && outOfFoldOutlierScores(embedded, labels, foldNumbers(samples, data, OUTLIER_FOLDS, options.seed)!);
  if (outliers !== undefined) tensors.push(['outliers', tensor('float32', [samples.length], outliers)]);
  await writeSafetensorsFile(file, tensors);
  return { ...result, outliers };
}

/** [n, K]; undefined where every label is one class. */
function softTargets(samples: TrainingData['train'], classes: readonly string[]): Float32Array | undefined {
  if (samples.every(({ chances }) => chances === undefined)) return undefined;
  const targets = new Float32Array(samples.length * classes.length);
  for (const [i, sample] of samples.entries()) {
    const soft = softLabel(sample, classes);
    if (soft === undefined) targets[i * classes.length + sample.label] = 1;
    else targets.set(soft, i * classes.length);
  }
  return targets;
}
