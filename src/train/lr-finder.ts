import { AbortedError } from '../core/errors.ts';
import type { BatchSource } from './batch-source.ts';
import { NotFiniteError, type StepInput, type TrainingStep } from './training-step.ts';

export interface RateFinderOptions {
  /** Rates of the groups against each other; the sweep multiplies all of them. Default: 1 for every group. */
  readonly shares?: Readonly<Record<string, number>>;
  /** Default 1e-6. */
  readonly from?: number;
  /** Default 10. */
  readonly to?: number;
  /** Steps of the sweep; default 100. */
  readonly steps?: number;
  readonly drawMask?: StepInput['drawMask'];
  readonly signal?: AbortSignal;
}

export interface RateFinderResult {
  /** A good peak rate. */
  readonly rate: number;
  /** What was seen: the loss is smoothed. */
  readonly curve: readonly { readonly rate: number; readonly loss: number }[];
}

/** Weight of the past in the smoothed loss. */
const SMOOTHING = 0.9;
/** The sweep ends where the loss is this many times its lowest: it has diverged. */
const DIVERGED = 4;
/** How far below the rate of the lowest loss to train. */
const MARGIN = 10;

/**
 * Learning-rate range test (Smith 2017, arXiv:1506.01186, section 3.3): trains with a rate that grows
 * exponentially from step to step until the loss diverges, and proposes a tenth of the rate at which the smoothed
 * loss was lowest. The step's state is as before when it returns.
 * @throws RangeError for a range that is none; AbortedError between steps.
 */
export async function findLearningRate(
  step: TrainingStep,
  source: BatchSource,
  options: RateFinderOptions = {},
): Promise<RateFinderResult> {
  const { from = 1e-6, to = 10, steps = 100, signal, drawMask } = options;
  if (!(from > 0 && to > from))
    throw new RangeError(`The range of rates must rise from a positive one, got ${from} to ${to}.`);
  if (!Number.isSafeInteger(steps) || steps < 2) throw new RangeError(`A sweep takes two steps or more, got ${steps}.`);
  const groups = [...step.compiled.names.rates.keys()];
  const before = await step.state();
  const curve: { rate: number; loss: number }[] = [];
  let average = 0;
  try {
    for await (const batch of endless(source, steps, signal)) {
      if (signal?.aborted) throw new AbortedError('The search for a learning rate was stopped.');
      const taken = curve.length + 1;
      const rate = from * (to / from) ** ((taken - 1) / (steps - 1));
      const rates = Object.fromEntries(groups.map((group) => [group, rate * (options.shares?.[group] ?? 1)]));
      let loss: number;
      try {
        ({ loss } = await step.run({ batch, step: taken, rates, ...(drawMask && { drawMask }) }));
      } catch (error) {
        if (error instanceof NotFiniteError) break;
        throw error;
      }
      average = SMOOTHING * average + (1 - SMOOTHING) * loss;
      // The average starts at 0: its bias is taken out, as Adam does.
      curve.push({ rate, loss: average / (1 - SMOOTHING ** taken) });
      if (curve.at(-1)!.loss > DIVERGED * Math.min(...curve.map((point) => point.loss))) break;
    }
  } finally {
    await step.setState(before);
  }
  const best = curve.reduce(
    (low, point) => (point.loss < low.loss ? point : low),
    curve[0] ?? { rate: from * MARGIN, loss: 0 },
  );
  return { rate: best.rate / MARGIN, curve };
}

/** `count` batches, epoch after epoch. */
async function* endless(source: BatchSource, count: number, signal: AbortSignal | undefined) {
  let left = count;
  for (let epoch = 1; left > 0; epoch++)
    for await (const batch of source.epoch(epoch, 0, signal)) {
      yield batch;
      if (--left === 0) return;
    }
}
