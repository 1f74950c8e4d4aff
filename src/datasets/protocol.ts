import { InputError } from '../core/errors.ts';
import { counted, shownList, type Dataset, type Sample } from './dataset.ts';
import { membersOf } from './groups.ts';
import { holdOut, mostInAClass } from './split.ts';

/** What part of the data serves what, so that nothing scored was ever looked at. */
export interface Protocol {
  readonly train: readonly Sample[];
  /** For choices (early stopping, best checkpoint); empty where there is none that may be used. */
  readonly val: readonly Sample[];
  readonly unlabeled: readonly Sample[];
  /** Opened once, at the end. */
  readonly score: readonly Sample[];
  /**
   * Where `score` comes from: ready-made splits, a stratified part of train, or all of train, each image to be
   * scored by a network that was trained without it and its copies.
   */
  readonly scoreSource: 'test' | 'val' | 'holdout' | 'cross-validation';
  readonly warnings: readonly string[];
}

export interface ProtocolOptions {
  readonly seed: number;
  /** Of train, where there is no ready-made split to score on. */
  readonly holdout?: number;
  /** Whether few labelled images may be cross-validated, not split. Default true. */
  readonly crossValidate?: boolean;
}

/** Fewer images than this give an interval too wide to tell much. */
const FEW_SCORED = 50;
const HOLDOUT = 0.2;

/**
 * Chooses what the score is taken on: `test`; without one, `val` where labels are limited (it is then hidden
 * from all else); else a seeded, stratified fifth of train that nothing else sees, or, where a fifth would be
 * too few to tell much, all of train by cross-validation. Where labels are limited, `val` is never used for choices.
 * @param groups of duplicates: they stay on one side, and unlabelled copies of a held-out image leave
 * @throws InputError for data that no classifier can be trained or scored on: fewer than two classes in train,
 *   or too few images to hold any out.
 */
export function protocolOf(
  dataset: Dataset,
  groups: readonly (readonly string[])[],
  options: ProtocolOptions,
): Protocol {
  const of = (split: Sample['split']): Sample[] => dataset.samples.filter((sample) => sample.split === split);
  const [train, val, test, unlabeled] = [of('train'), of('val'), of('test'), of('unlabeled')];
  const warnings: string[] = [];
  checkClasses(dataset, train, [...val, ...test], warnings);
  const choices = dataset.limitedLabels ? [] : val;
  let parts: Omit<Protocol, 'warnings'>;
  if (test.length > 0) parts = { train, val: choices, unlabeled, score: test, scoreSource: 'test' };
  else if (dataset.limitedLabels && val.length > 0)
    parts = { train, val: [], unlabeled, score: val, scoreSource: 'val' };
  else if ((options.crossValidate ?? true) && choices.length === 0 && canCrossValidate(train, groups))
    parts = { train, val: [], unlabeled, score: train, scoreSource: 'cross-validation' };
  else {
    const { held, rest } = holdOut(train, groups, options.holdout ?? HOLDOUT, options.seed);
    if (held.length === 0) {
      const grouped = membersOf(train).size;
      const hasCopies = grouped === 0 && groups.length > 0;
      throw new InputError(
        `${dataset.root} has ${counted(train.length, 'labelled image')} in ${counted(dataset.classes.length, 'class', 'classes')}` +
          `${grouped === 0 ? '' : ` and ${counted(grouped, 'group')}`}: ` +
          `too few${hasCopies ? ', as copies count as one,' : ''} to hold any out for the score. ` +
          `Add ${grouped === 0 ? `${hasCopies ? 'other ' : ''}images (three of each class are the least)` : 'groups (two of each class are the least)'}, or a test folder.`,
      );
    }
    warnUnscored(dataset, held, warnings);
    parts = {
      train: rest,
      val: choices,
      unlabeled: withoutCopies(unlabeled, held, groups),
      score: held,
      scoreSource: 'holdout',
    };
  }
  if (parts.score.length < FEW_SCORED)
    warnings.push(`the score is taken on ${counted(parts.score.length, 'image')} only: its interval is wide`);
  return { ...parts, warnings };
}

function checkClasses(dataset: Dataset, train: readonly Sample[], others: readonly Sample[], warnings: string[]): void {
  const trained = new Set(train.map(({ label }) => label!));
  if (trained.size < 2)
    throw new InputError(
      `A classifier needs at least two classes with labelled images in train; ${dataset.root} has ${trained.size}` +
        `${trained.size === 1 ? ` (${shownList(dataset.classes.filter((_, label) => trained.has(label)))})` : ''}.`,
    );
  const scored = new Set(others.map(({ label }) => label!));
  const unseen = dataset.classes.filter((_, label) => scored.has(label) && !trained.has(label));
  if (unseen.length > 0)
    warnings.push(
      `no labelled image of train shows ${shownList(unseen)}: such images of val or test can't be got right`,
    );
  const counts = dataset.classes.map((_, label) => train.filter((sample) => sample.label === label).length);
  const single = dataset.classes.filter((_, label) => counts[label] === 1);
  if (single.length > 0) warnings.push(`only one labelled image of ${shownList(single)}`);
}

/** Few images, of which two that are no copies show one class: without a single image of a class, there is no such class. */
function canCrossValidate(train: readonly Sample[], groups: readonly (readonly string[])[]): boolean {
  return train.length * HOLDOUT < FEW_SCORED && mostInAClass(train, groups) > 1;
}

function warnUnscored(dataset: Dataset, held: readonly Sample[], warnings: string[]): void {
  const scored = new Set(held.map(({ label }) => label!));
  const missing = dataset.classes.filter((_, label) => !scored.has(label));
  if (missing.length > 0) warnings.push(`too few images of ${shownList(missing)} to hold any out: not in the score`);
}

/** Images that are no copies of `held` ones. @param groups of duplicates */
export function withoutCopies(
  samples: readonly Sample[],
  held: readonly Sample[],
  groups: readonly (readonly string[])[],
): Sample[] {
  const ids = new Set(held.map(({ id }) => id));
  const copies = new Set(groups.filter((group) => group.some((id) => ids.has(id))).flat());
  return samples.filter(({ id }) => !copies.has(id));
}
