import { softmaxRows } from '../../evaluate/predictions.ts';
import type { Tensor } from '../../core/tensor.ts';
import type { Engine } from '../../runtime/engine.ts';
import { fitLinearProbe } from './linear-probe.ts';
import { foldsOf, type LabelledSample, type TrainingData } from '../prepare-data.ts';

/** The fold of each sample, from 0; undefined where there are too few images for any. */
export function foldNumbers(
  samples: readonly LabelledSample[],
  data: Pick<TrainingData, 'duplicates'>,
  wanted: number,
  seed: number,
): number[] | undefined {
  const folds = foldsOf(samples, data, wanted, seed);
  if (folds.length === 0) return undefined;
  const foldOf = new Map(folds.flatMap(({ held }, fold) => held.map((sample) => [sample, fold] as const)));
  return samples.map((sample) => foldOf.get(sample)!);
}

export interface OutOfFoldOptions {
  readonly folds: number;
  /** Times that the folds are dealt anew; the mean counts. */
  readonly repeats: number;
  readonly seed: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * What probes say of images that they were not fitted on, copies and groups kept together: [n, K], the mean over `repeats`.
 * @returns undefined where no class has two images that are no copies
 */
export async function outOfFoldProbabilities(
  engine: Engine,
  features: Tensor,
  samples: readonly LabelledSample[],
  data: Pick<TrainingData, 'classes' | 'duplicates'>,
  { folds, repeats, seed, signal }: OutOfFoldOptions,
): Promise<Float64Array | undefined> {
  const classes = data.classes.length;
  const mean = new Float64Array(samples.length * classes);
  for (let repeat = 0; repeat < repeats; repeat++) {
    const foldOf = foldNumbers(samples, data, folds, seed + repeat);
    if (foldOf === undefined) return undefined;
    const labels = samples.map(({ label }) => label);
    const { outOfFold } = await fitLinearProbe(engine, features, labels, classes, {
      foldOf,
      ...(signal && { signal }),
    });
    for (const [i, p] of softmaxRows(outOfFold!, classes).entries()) mean[i]! += p / repeats;
  }
  return mean;
}
