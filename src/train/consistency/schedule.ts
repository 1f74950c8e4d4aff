import type { Fragment } from './fragment.ts';
import type { ConsistencyParts, RampOptions } from './options.ts';

/**
 * [1], 0..1: what of the weight of unlabelled images counts at t, the share of the ramp that is over. Linear: t (MixMatch,
 * arXiv:1905.02249, section 4.1); cosine: (1 - cos(pi t)) / 2 (AdaMatch, arXiv:2106.04732, section 3.4); exponential:
 * exp(-5 (1 - t)^2) (Laine and Aila 2017, arXiv:1610.02242, as Mean Teacher).
 */
export function rampFactor(f: Fragment, { kind, until }: RampOptions, samples: number): string {
  const t = f.op('Min', [f.op('Mul', [f.seen, 1 / (until * samples)]), 1]);
  if (kind === 'linear') return t;
  if (kind === 'cosine') return f.op('Mul', [f.op('Sub', [1, f.op('Cos', [f.op('Mul', [t, Math.PI])])]), 0.5]);
  const left = f.op('Sub', [1, t]);
  return f.op('Exp', [f.op('Mul', [f.op('Mul', [left, left]), -5])]);
}

/**
 * Training signal annealing: a labelled image counts while the network gives its class less than eta = a (1 - 1/K) + 1/K,
 * a = 1 - exp(-5 t), t or exp(5 (t - 1)) at the share t of the training: UDA, Xie et al. 2020, arXiv:1904.12848, section 3.
 * @param ofClass probability of the true class [N]
 * @returns weights [N] whose sum is N, or 0 where none counts
 */
export function annealed(
  f: Fragment,
  ofClass: string,
  annealing: Exclude<ConsistencyParts['annealing'], 'none'>,
  { classes, samples }: { readonly classes: number; readonly samples: number },
): string {
  const t = f.op('Mul', [f.seen, 1 / samples]);
  const scaled = {
    logarithmic: () => f.op('Sub', [1, f.op('Exp', [f.op('Mul', [t, -5])])]),
    linear: () => t,
    exponential: () => f.op('Exp', [f.op('Mul', [f.op('Sub', [t, 1]), 5])]),
  }[annealing]();
  const eta = f.op('Add', [f.op('Mul', [scaled, 1 - 1 / classes]), 1 / classes]);
  const counts = f.op('Sub', [1, f.atLeast(ofClass, eta)]);
  const number = f.builder.shape(ofClass)[0] as number;
  return f.op('Mul', [counts, f.op('Div', [number, f.op('Max', [f.reduce('Sum', counts), 1])])]);
}
