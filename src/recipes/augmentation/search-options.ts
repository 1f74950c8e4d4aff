import { InputError, suggestion } from '../../core/errors.ts';
import { OPERATIONS } from '../../augment/operations.ts';
import { MIXINGS } from '../../augment/search/candidate.ts';
import { consistencyMethodOf, methodOf } from '../method.ts';
import { resolveTrainOptions, type ResolvedTrainOptions, type TrainOptions } from '../train-options.ts';

/** What the search for a policy can be told. Of training's options, those that decide about the model alone have no effect. */
export interface PolicySearchOptions extends TrainOptions {
  /** Minutes that the search may take, the final comparison included; default 20. */
  readonly minutes?: number;
  /** Images that safety is tried on, at most; default 200. */
  readonly images?: number;
  /** Operations to take as safe whatever the probe finds. */
  readonly allow?: readonly string[];
  /** Operations to leave out whatever the probe finds. */
  readonly deny?: readonly string[];
}

/** What the probe for what is safe can be told. */
export type SafetyOptions = Omit<PolicySearchOptions, 'minutes' | 'allow' | 'deny' | 'flip'>;

export interface ResolvedSearchOptions {
  readonly train: ResolvedTrainOptions;
  readonly minutes: number;
  readonly images: number;
  readonly allow: readonly string[];
  readonly deny: readonly string[];
}

/** @throws InputError for an option that is unknown, out of range, or has no effect here */
export function resolveSearchOptions(options: PolicySearchOptions): ResolvedSearchOptions {
  const { minutes = 20, images = 200, allow: allowed = [], deny: denied = [], ...rest } = options;
  const train = resolveTrainOptions(rest, 'options of the search');
  if (!(minutes > 0)) throw new InputError(`The search needs a time above 0 minutes, got ${minutes}.`);
  if (!Number.isInteger(images) || images < 1)
    throw new InputError(`Safety is tried on at least 1 image, got ${images}.`);
  // A search decides about flips as about any operation, unless it is told.
  const allow = [...new Set([...allowed, ...(train.flip === 'on' ? ['flip'] : [])])];
  const deny = [...new Set([...denied, ...(train.flip === 'off' ? ['flip'] : [])])];
  const operations = [...OPERATIONS.keys()];
  // Mixing is tried unless it is denied: there is nothing to allow.
  for (const [names, known] of [
    [allow, operations],
    [deny, [...operations, ...MIXINGS.keys()]],
  ] as const)
    for (const name of names)
      if (!known.includes(name)) throw new InputError(`There is no operation "${name}"${suggestion(name, known)}.`);
  const both = allow.find((name) => deny.includes(name));
  if (both !== undefined) throw new InputError(`"${both}" is both allowed and denied.`);
  if (train.augment !== undefined) throw new InputError('The search finds "augment"; leave it out.');
  if (consistencyMethodOf(train) !== undefined)
    throw new InputError(`The search trains on labelled images: it has no use for --method ${train.method}.`);
  if (methodOf(train) === 'probe')
    throw new InputError(
      'Method "probe" trains on features computed once an image: there is no augmentation to search.',
    );
  checkEffect(train);
  return { train, minutes, images, allow, deny };
}

/** @throws InputError for what trials, which are trained to the end and make no model, would ignore */
function checkEffect({ blend, patience, variants, profile, useVal }: ResolvedTrainOptions): void {
  const ignored = Object.entries({
    blend: blend !== undefined,
    patience: patience !== undefined,
    variants: variants.length > 0,
    profile,
    useVal,
  }).flatMap(([name, isGiven]) => (isGiven ? [`"${name}"`] : []));
  if (ignored.length > 0) throw new InputError(`${ignored.join(', ')} would have no effect on a search; leave it out.`);
}
