import { InputError } from '../../core/errors.ts';
import type { ThresholdOptions } from '../../labelling/label-images.ts';

/** What a threshold can be written as. */
export const THRESHOLD_FORMS =
  'none, 0.9, a number a class (0.9,0.8,0.95), free, soft, flex:0.95, rank:0.5 (the surest half of each class), right:0.95 (labels of which 95 % are right, as estimated out of fold)';

/**
 * Which machine labels are used, from text.
 * @param classes how many there are
 * @throws InputError for another form, a share out of 0..1, or not one number a class
 * @example
 * parseThreshold('right:0.95', 10); // { kind: 'expected-error', right: 0.95 }
 */
export function parseThreshold(text: string, classes: number): ThresholdOptions {
  if (text === 'none' || text === 'free' || text === 'soft') return { kind: text };
  const [, kind, given] = /^(?:(flex|rank|right):)?([\d.,]+)$/.exec(text) ?? [];
  if (given === undefined) throw new InputError(`A threshold is one of ${THRESHOLD_FORMS}; got "${text}".`);
  const values = given.split(',').map(Number);
  const [value] = values as [number];
  if (values.some((one) => !(one >= 0 && one <= 1)))
    throw new InputError(`The numbers of a threshold lie in 0..1, got "${text}".`);
  if (values.length > 1) {
    if (kind !== undefined || values.length !== classes)
      throw new InputError(`A threshold has one number, or one for each of ${classes} classes, got "${text}".`);
    return { kind: 'per-class', values };
  }
  if (kind === 'flex') return { kind, value };
  if (kind === 'rank') return { kind, share: value };
  if (kind === 'right') return { kind: 'expected-error', right: value };
  return { kind: 'fixed', value };
}
