import { suggestion } from '../core/errors.ts';

/** The factor on the peak learning rate at a step, counted from 0. */
export type Schedule = (step: number) => number;

export type ScheduleName = 'cosine' | 'one-cycle' | 'step' | 'linear' | 'constant';

/** Plain data: what `config.json` holds. */
export interface ScheduleOptions {
  readonly name: ScheduleName;
  /** Steps of the whole run. */
  readonly totalSteps: number;
  /** Steps of linear warm-up in front (Goyal et al. 2017, arXiv:1706.02677); not with `one-cycle`, which has its own. Default 0. */
  readonly warmupSteps?: number;
  /** `step` only: shares of the run at which the rate drops; default 0.5 and 0.75 (He et al. 2016 on CIFAR). */
  readonly milestones?: readonly number[];
  /** `step` only: what it drops by; default 0.1. */
  readonly gamma?: number;
}

/** One-cycle's own numbers, PyTorch's defaults: share of steps that rise, peak over start, start over end. */
const RISE = 0.3;
const PEAK_OVER_START = 25;
const START_OVER_END = 1e4;

/**
 * - `cosine`: (1 + cos(pi t / T)) / 2, Loshchilov and Hutter 2017 (arXiv:1608.03983), without restarts
 * - `one-cycle`: Smith and Topin 2018 (arXiv:1708.07120), as PyTorch's OneCycleLR with its defaults
 * - `linear`: down to 0
 * - `step`: times gamma at each milestone
 * - `constant`
 *
 * The rate reaches its end just after the last step. With warm-up, step t of w has (t + 1) / w of the peak and
 * the rest of the schedule spans what remains.
 * @throws RangeError for an unknown name, an option the schedule does not have, or a value out of range.
 */
export function schedule(options: ScheduleOptions): Schedule {
  const { name, totalSteps, warmupSteps = 0, milestones, gamma } = options;
  if (!Object.hasOwn(SHAPES, name)) {
    const known = Object.keys(SHAPES);
    throw new RangeError(`The schedule must be one of ${known.join(', ')}, got "${name}"${suggestion(name, known)}.`);
  }
  if (!Number.isSafeInteger(totalSteps) || totalSteps < 1)
    throw new RangeError(`A schedule needs a positive number of steps, got ${totalSteps}.`);
  if (!Number.isSafeInteger(warmupSteps) || warmupSteps < 0)
    throw new RangeError(`Warm-up takes a whole number of steps, not negative, got ${warmupSteps}.`);
  if (name === 'one-cycle' && warmupSteps > 0)
    throw new RangeError('The schedule "one-cycle" rises by itself and takes no warm-up.');
  if (name !== 'step' && (milestones !== undefined || gamma !== undefined))
    throw new RangeError(`The schedule "${name}" has no milestones and no gamma.`);
  if (milestones?.some((share) => !(share > 0 && share < 1)))
    throw new RangeError(`Milestones are shares of the run between 0 and 1, got ${milestones.join(', ')}.`);
  // Warm-up longer than the run: it stops half-way up, as it would.
  const rest = Math.max(totalSteps - warmupSteps, 1);
  const shape = SHAPES[name](rest, options);
  return (step) => (step < warmupSteps ? (step + 1) / warmupSteps : shape(Math.min(step - warmupSteps, rest)));
}

/** From 1 at `share` 0 to 0 at 1. */
const cosine = (share: number): number => (1 + Math.cos(Math.PI * share)) / 2;

const SHAPES = {
  cosine: (steps) => (t) => cosine(t / steps),
  linear: (steps) => (t) => 1 - t / steps,
  constant: () => () => 1,
  step:
    (steps, { milestones = [0.5, 0.75], gamma = 0.1 }) =>
    (t) =>
      gamma ** milestones.filter((share) => t >= Math.round(share * steps)).length,
  'one-cycle': (steps) => {
    const start = 1 / PEAK_OVER_START;
    const end = start / START_OVER_END;
    // As PyTorch, the last step of each phase is its end.
    const top = Math.max(RISE * steps - 1, 0);
    const last = Math.max(steps - 1, 1);
    return (t) =>
      t <= top && top > 0
        ? 1 + (start - 1) * cosine(t / top)
        : end + (1 - end) * cosine(Math.min((t - top) / (last - top), 1));
  },
} satisfies Record<ScheduleName, (steps: number, options: ScheduleOptions) => Schedule>;
