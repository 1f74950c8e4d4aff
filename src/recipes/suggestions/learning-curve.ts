import { randomStream, shuffled } from '../../core/random.ts';
import type { Tensor } from '../../core/tensor.ts';
import { fitLearningCurve, type CurveFit } from '../../evaluate/learning-curve.ts';
import type { Engine } from '../../runtime/engine.ts';
import { rowsOf } from '../probe/features.ts';
import { logitsBySubset } from '../probe/linear-probe.ts';
import { foldNumbers } from '../probe/out-of-fold.ts';
import type { TrainingData } from '../prepare-data.ts';

const FOLDS = 5;
/** Of the labels outside of a fold; the last is all of them. */
const SHARES = [0.3, 0.45, 0.65, 1];
/** Times that folds are dealt and subsets drawn: of few labels more, whose draws differ more. */
const FITTED = 1200;
/** Labels that the curve is measured on, at most: above, its end is flat. */
const MOST = 2000;

export interface CurveOptions {
  /** Of the head's regularisation (C), as it was chosen on all labels. */
  readonly strength: number;
  /** Further labels that are asked about. */
  readonly ahead: number;
  readonly seed: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The learning curve of a linear head: in each of five folds it learns from drawn parts of the other labels and is judged on the fold,
 * copies and groups kept together.
 * @param features [n, D] of the labelled images first
 * @returns undefined where no class has two labels that are no copies, or there are fewer than ten
 */
export async function measuredCurve(
  engine: Engine,
  features: Tensor,
  data: Pick<TrainingData, 'train' | 'classes' | 'duplicates'>,
  { strength, ahead, seed, signal }: CurveOptions,
): Promise<CurveFit | undefined> {
  const order = shuffled([...data.train.keys()], randomStream(seed, 'learning-curve'))
    .slice(0, MOST)
    .toSorted((x, y) => x - y);
  const samples = order.map((i) => data.train[i]!);
  const n = samples.length;
  const classes = data.classes.length;
  const repeats = Math.min(4, Math.max(1, Math.round(FITTED / n)));
  const [subsets, plan] = [[] as Uint8Array[], [] as { readonly share: number; readonly held: number[] }[]];
  for (let repeat = 0; repeat < repeats; repeat++) {
    const foldOf = foldNumbers(samples, data, FOLDS, seed + repeat);
    if (foldOf === undefined || n < 10) return undefined;
    const drawn = shuffled([...samples.keys()], randomStream(seed, 'learning-curve', repeat));
    for (let fold = 0; fold <= Math.max(...foldOf); fold++) {
      const rest = drawn.filter((i) => foldOf[i] !== fold);
      const held = drawn.filter((i) => foldOf[i] === fold);
      for (const [at, share] of SHARES.entries()) {
        const subset = new Uint8Array(n);
        for (const i of rest.slice(0, Math.max(2, Math.round(share * rest.length)))) subset[i] = 1;
        subsets.push(subset);
        plan.push({ share: at, held });
      }
    }
  }
  const logits = await logitsBySubset(
    engine,
    rowsOf(features, order),
    samples.map(({ label }) => label),
    classes,
    subsets,
    { strength, signal },
  );
  const right = SHARES.map(() => new Float64Array(n));
  const sizes = SHARES.map(() => 0);
  for (const [at, { share, held }] of plan.entries()) {
    sizes[share]! += subsets[at]!.reduce((sum, one) => sum + one, 0) * (SHARES.length / plan.length);
    for (const i of held) {
      const row = logits[at]!.subarray(i * classes, (i + 1) * classes);
      if (row.indexOf(Math.max(...row)) === samples[i]!.label) right[share]![i]! += 1 / repeats;
    }
  }
  const measured = SHARES.map((_, at) => ({ labels: sizes[at]!, right: right[at]! }));
  return fitLearningCurve(measured, data.train.length, ahead, randomStream(seed, 'learning-curve', 'bootstrap'));
}
