import type { ConsistencyParts } from './options.ts';

const FIXMATCH: ConsistencyParts = {
  labeller: 'student',
  debias: 0,
  target: { kind: 'hard' },
  threshold: { kind: 'fixed', value: 0.95 },
  alignment: undefined,
  loss: 'cross-entropy',
  weight: 1,
  ramp: undefined,
  fairness: 0,
  weakViews: 1,
  mixing: undefined,
  annealing: 'none',
};

/** Methods by name, as their papers put the parts together. */
export const CONSISTENCY_METHODS = {
  /** Sohn et al. 2020, arXiv:2001.07685. */
  fixmatch: FIXMATCH,
  /** Zhang et al. 2021, arXiv:2110.08263. */
  flexmatch: { ...FIXMATCH, threshold: { kind: 'curriculum', value: 0.95 } },
  /**
   * Wang et al. 2023, arXiv:2205.07246; weight of fairness 0.01 as for CIFAR-10 with 40 labels. The ramp, Mean Teacher's, is ours:
   * the threshold begins at 1/K, where each guess of a network that knows nothing counts, and all become one class. The paper's
   * million steps make up for that; in a thousand it takes a fifth of them.
   */
  freematch: {
    ...FIXMATCH,
    threshold: { kind: 'self-adaptive' },
    fairness: 0.01,
    ramp: { kind: 'exponential', until: 0.2 },
  },
  /** Chen et al. 2023, arXiv:2301.10921; uniform alignment of the weights alone. */
  softmatch: {
    ...FIXMATCH,
    threshold: { kind: 'gaussian', deviations: 2 },
    alignment: { to: 'uniform', of: 'confidence' },
  },
  /** Berthelot et al. 2022, arXiv:2106.04732, without the interpolation of logits, which is for domains that differ. */
  adamatch: {
    ...FIXMATCH,
    threshold: { kind: 'relative', value: 0.9 },
    alignment: { to: 'labelled', of: 'labels' },
    ramp: { kind: 'cosine', until: 0.5 },
  },
  /** Xie et al. 2020, arXiv:1904.12848: temperature 0.4, threshold 0.8. */
  uda: {
    ...FIXMATCH,
    target: { kind: 'sharpened', temperature: 0.4 },
    threshold: { kind: 'fixed', value: 0.8 },
    loss: 'kullback-leibler',
  },
  /**
   * Berthelot et al. 2019, arXiv:1905.02249: two views, T = 0.5, alpha = 0.75, weight 75 as for CIFAR-10. The average of the
   * weights guesses labels, where the paper's authors take the weights themselves.
   */
  mixmatch: {
    ...FIXMATCH,
    labeller: 'average',
    weakViews: 2,
    mixing: 0.75,
    target: { kind: 'sharpened', temperature: 0.5 },
    threshold: { kind: 'none' },
    loss: 'squared-error',
    weight: 75,
    ramp: { kind: 'linear', until: 1 },
  },
  /** Tarvainen and Valpola 2017, arXiv:1703.01780; weight and ramp of its authors' code for CIFAR-10 with a few thousand steps. */
  meanteacher: {
    ...FIXMATCH,
    labeller: 'average',
    target: { kind: 'soft' },
    threshold: { kind: 'none' },
    loss: 'squared-error',
    weight: 50,
    ramp: { kind: 'exponential', until: 0.4 },
  },
} as const satisfies Record<string, ConsistencyParts>;

export type ConsistencyMethod = keyof typeof CONSISTENCY_METHODS;

export const CONSISTENCY_METHOD_NAMES = Object.keys(CONSISTENCY_METHODS) as ConsistencyMethod[];
