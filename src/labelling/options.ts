import { InputError } from '../core/errors.ts';

/** Which machine labels are used, and how much each counts. Each rule's file names its paper. */
export type ThresholdOptions =
  /** All, alike. */
  | { readonly kind: 'none' }
  /** From a probability of `value` (FixMatch: Sohn et al. 2020, arXiv:2001.07685, eq. 4). */
  | { readonly kind: 'fixed'; readonly value: number }
  /** From a probability by class [K]. */
  | { readonly kind: 'per-class'; readonly values: readonly number[] }
  /** FreeMatch: the mean confidence, lower for classes that are predicted less. */
  | { readonly kind: 'free' }
  /** SoftMatch: no threshold, weights that fall below the mean confidence. */
  | { readonly kind: 'soft' }
  /** FlexMatch: `value`, lower for classes that pass it less. */
  | { readonly kind: 'flex'; readonly value: number }
  /** The most confident share of what is predicted as each class. */
  | { readonly kind: 'rank'; readonly share: number }
  /** As many as are right in the mean as often as `right` says; needs `held`. */
  | { readonly kind: 'expected-error'; readonly right: number };

export interface LabellingOptions {
  /** The target: one class, the probabilities as they are, or sharpened. */
  readonly labels: 'hard' | 'soft' | 'sharpened';
  /** Of `sharpened`, above 0; default 0.5. */
  readonly temperature?: number;
  readonly threshold: ThresholdOptions;
  /** `cap`: no class has more labels than the mean; `resample`: those with fewer count several times. Default `none`. */
  readonly balance?: 'none' | 'cap' | 'resample';
  /**
   * To the estimated prior; needs `held`. `align`: the mean prediction is brought to it; `logit`: the teacher's prior is
   * exchanged for it; `crest`: labels of frequent classes are used at lower rates. Default `none`.
   */
  readonly adjust?: 'none' | 'align' | 'logit' | 'crest';
}

/** @throws InputError that says which option is wrong */
export function checkLabellingOptions(options: LabellingOptions, classes: number, hasHeld: boolean): void {
  const { labels, temperature, threshold, balance = 'none', adjust = 'none' } = options;
  const oneOf = (name: string, value: string, allowed: readonly string[]): void => {
    if (!allowed.includes(value)) throw new InputError(`${name}: expected ${allowed.join(', ')}; got "${value}".`);
  };
  const share = (name: string, value: number): void => {
    if (!(value >= 0 && value <= 1)) throw new InputError(`${name}: expected 0 to 1, got ${value}.`);
  };
  oneOf('labels', labels, ['hard', 'soft', 'sharpened']);
  oneOf('balance', balance, ['none', 'cap', 'resample']);
  oneOf('adjust', adjust, ['none', 'align', 'logit', 'crest']);
  if (temperature !== undefined && labels !== 'sharpened')
    throw new InputError(`temperature: only sharpened labels have one; labels are ${labels}.`);
  if (temperature !== undefined && !(temperature > 0 && temperature < Infinity))
    throw new InputError(`temperature: expected a number above 0, got ${temperature}.`);
  switch (threshold.kind) {
    case 'none':
    case 'free':
    case 'soft':
      break;
    case 'fixed':
    case 'flex':
      share(`threshold ${threshold.kind}`, threshold.value);
      break;
    case 'per-class':
      if (threshold.values.length !== classes)
        throw new InputError(`threshold per-class: expected ${classes} values, got ${threshold.values.length}.`);
      for (const value of threshold.values) share('threshold per-class', value);
      break;
    case 'rank':
      share('threshold rank', threshold.share);
      break;
    case 'expected-error':
      share('threshold expected-error', threshold.right);
      break;
    default:
      throw new InputError(`threshold: there is no kind "${(threshold as { kind: string }).kind}".`);
  }
  const needs =
    threshold.kind === 'expected-error' ? 'threshold expected-error' : adjust !== 'none' && `adjust ${adjust}`;
  if (needs !== false && !hasHeld)
    throw new InputError(`${needs}: expected out-of-fold predictions of labelled images; there are none.`);
}
