import { float32, zeros } from '../../core/tensor.ts';
import type { Fragment } from './fragment.ts';
import type { ThresholdOptions } from './options.ts';

export interface Weighed {
  /** [M], 0..1: what each label counts for. */
  readonly weights: string;
  /** Scalar: the confidence from which labels count, in the mean of the classes. */
  readonly threshold: string;
}

export interface ToWeigh {
  /** Of unlabelled images, [M, K]. */
  readonly probabilities: string;
  /** Of labelled images, [N, K]. */
  readonly labelled: string;
  /** Numbers of the unlabelled images, float32 [M], where a curriculum needs them. */
  readonly numbers: string | undefined;
  /** How many unlabelled images there are. */
  readonly images: number;
}

/** What labels count for by how confident they are, under any of the rules. */
export function weighed(f: Fragment, options: ThresholdOptions, values: ToWeigh): Weighed {
  const confidence = f.reduce('Max', values.probabilities, [1]);
  const from = (threshold: string): Weighed => ({
    weights: f.atLeast(confidence, threshold),
    threshold: f.reduce('Mean', threshold),
  });
  switch (options.kind) {
    case 'none':
      return from(f.builder.float(0));
    // 1(max p >= tau): Sohn et al. 2020 (FixMatch, arXiv:2001.07685), equation 4.
    case 'fixed':
      return from(f.builder.float(options.value));
    // tau = value * mean over labelled images of max p: AdaMatch, arXiv:2106.04732, section 3.3.
    case 'relative':
      return from(f.op('Mul', [f.reduce('Mean', f.reduce('Max', values.labelled, [1])), options.value]));
    case 'self-adaptive':
      return byClass(f, values.probabilities, confidence, selfAdaptive(f, values.probabilities, confidence));
    case 'curriculum':
      return curriculum(f, options.value, values, confidence);
    case 'gaussian':
      return gaussian(f, options.deviations, confidence);
  }
}

/** Thresholds [K], each for the labels of its class. */
function byClass(f: Fragment, probabilities: string, confidence: string, thresholds: string): Weighed {
  const own = f.reduce('Sum', f.op('Mul', [f.oneHot(probabilities), thresholds]), [1]);
  return { weights: f.atLeast(confidence, own), threshold: f.reduce('Mean', thresholds) };
}

/**
 * tau(c) = p(c) / max p * tau, with tau and p the moving averages of confidence and prediction: FreeMatch, Wang et al.
 * 2023, arXiv:2205.07246, equations 5 to 7. The averages are corrected, where the paper starts them at 1/K.
 */
function selfAdaptive(f: Fragment, probabilities: string, confidence: string): string {
  const tau = f.average('confidence', f.reduce('Mean', confidence, [0], 1));
  const mean = meanPrediction(f, probabilities);
  return f.op('Mul', [f.divide(mean, f.reduce('Max', mean, [0], 1)), tau]);
}

/** [K]: FreeMatch's estimate of the classes that there are. */
export function meanPrediction(f: Fragment, probabilities: string): string {
  return f.average('class_shares', f.reduce('Mean', probabilities, [0]));
}

/**
 * T(c) = tau M(beta(c)), M(x) = x / (2 - x); beta(c) is the number of images whose last label over tau was c, over the
 * largest such number or, at first, that of images without one: FlexMatch, Zhang et al. 2021, arXiv:2110.08263,
 * equations 5 to 11. A label of this pass counts from the next one on, as in the authors' code.
 */
function curriculum(f: Fragment, tau: number, values: ToWeigh, confidence: string): Weighed {
  const b = f.builder;
  const { probabilities, images } = values;
  const classes = b.shape(probabilities)[1] as number;
  // 0: none yet; k + 1: class k.
  const remembered = f.recall('last_labels', zeros('float32', [images]));
  const numbers = b.constant(float32(Array.from({ length: classes + 1 }, (_, k) => k)));
  const isOf = b.op('Cast', [b.op('Equal', [b.op('Unsqueeze', [remembered, b.int([1])]), numbers])], { to: 1 });
  const counts = f.reduce('Sum', isOf, [0]);
  const ofClasses = b.op('Slice', [counts, b.int([1]), b.int([classes + 1])]);
  const beta = f.divide(ofClasses, f.reduce('Max', counts, [0], 1));
  const thresholds = f.op('Mul', [f.op('Div', [beta, f.op('Sub', [2, beta])]), tau]);

  const at = b.op('Cast', [values.numbers!], { to: 7 });
  const isSure = f.atLeast(confidence, tau);
  const label = b.op('Cast', [b.op('ArgMax', [probabilities], { axis: 1, keepdims: 0 })], { to: 1 });
  const old = b.op('Gather', [remembered, at], { axis: 0 });
  const now = f.op('Add', [
    f.op('Mul', [isSure, f.op('Add', [label, 1])]),
    f.op('Mul', [f.op('Sub', [1, isSure]), old]),
  ]);
  f.next.set('last_labels', b.op('ScatterElements', [remembered, at, now], { axis: 0 }));
  return byClass(f, probabilities, confidence, thresholds);
}

/**
 * exp(-(max p - mu)^2 / (2 sigma^2 / d^2)) below mu, 1 above, with mu and sigma^2 the moving averages of mean and variance of
 * max p: SoftMatch, arXiv:2301.10921, equations 7 to 9; d as in the authors' code, which takes 2.
 */
function gaussian(f: Fragment, deviations: number, confidence: string): Weighed {
  const count = f.builder.shape(confidence)[0] as number;
  const batchMean = f.reduce('Mean', confidence, [0], 1);
  const mean = f.average('confidence', batchMean);
  const square = (value: string): string => f.op('Mul', [value, value]);
  const sum = f.reduce('Sum', square(f.op('Sub', [confidence, batchMean])), [0], 1);
  const variance = f.average('confidence_variance', f.op('Mul', [sum, 1 / Math.max(count - 1, 1)]));
  const below = f.op('Min', [f.op('Sub', [confidence, mean]), 0]);
  const exponent = f.divide(f.op('Mul', [square(below), -0.5 * deviations ** 2]), variance);
  return { weights: f.op('Exp', [exponent]), threshold: f.reduce('Mean', mean) };
}
