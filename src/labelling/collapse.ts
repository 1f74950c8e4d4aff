import { pairedDifference } from '../evaluate/paired-difference.ts';
import { atTemperature, checkHeld, heldTemperature, type HeldPredictions } from './calibrated.ts';
import { mostLikely } from './probabilities.ts';
import { effectiveNumber } from './effective-number.ts';

/** What a round of self-training did. */
export interface LabellingRound {
  /** [K] unlabelled images by the class that the round's teacher takes them for, used or not. */
  readonly predicted: readonly number[];
  /** [K] of these, used. */
  readonly used: readonly number[];
  /** Out-of-fold predictions of the labelled images by the round's student: the same images in the same order each round. */
  readonly held?: HeldPredictions;
}

export interface CollapseReport {
  readonly alarm: boolean;
  /** In words; empty without alarm. */
  readonly reasons: readonly string[];
  /** Of the last round's predictions: exp(entropy) of the class shares, 1..K. */
  readonly effectiveClasses: number;
}

/** Below this share of the prior's effective number of classes, classes are being lost. */
const FEWEST_CLASSES = 0.6;
/** A class with less than this share of what the prior, or an earlier round, lets one expect has vanished. */
const VANISHED = 0.1;
/** Fewer expected images than this say nothing. */
const FEWEST_EXPECTED = 10;

/**
 * Whether the last round has gone wrong: its labels shrink to few classes, a class vanishes, or out-of-fold predictions
 * are surely worse (the paired 95 % interval leaves 0 out) than those of the best earlier round, in accuracy or in the
 * negative log-likelihood at the best temperature (so that mere over-confidence is no alarm).
 * @param rounds from the first to the last, one at least
 * @param prior [K] estimated class shares of the unlabelled images
 * @throws RangeError where sizes disagree
 * @example
 * const { alarm, reasons } = detectCollapse(rounds, prior, ['cat', 'dog']);
 */
export function detectCollapse(
  rounds: readonly LabellingRound[],
  prior: readonly number[],
  classes: readonly string[],
): CollapseReport {
  const last = rounds.at(-1);
  if (last === undefined) throw new RangeError('Expected one round at least, got none.');
  for (const [r, { predicted, used, held }] of rounds.entries()) {
    if (predicted.length !== classes.length || used.length !== classes.length || prior.length !== classes.length)
      throw new RangeError(
        `Round ${r + 1}: expected ${classes.length} counts and shares, got ${predicted.length}, ${used.length} and ${prior.length}.`,
      );
    if (held !== undefined) checkHeld(held, classes.length);
  }
  const effective = effectiveNumber(last.predicted);
  const reasons = [
    ...fewClasses(effective, effectiveNumber(prior)),
    ...vanished(rounds, prior, classes),
    ...worse(rounds, classes),
  ];
  return { alarm: reasons.length > 0, reasons, effectiveClasses: effective };
}

function fewClasses(found: number, expected: number): string[] {
  if (found >= FEWEST_CLASSES * expected) return [];
  return [
    `The labels are spread over ${found.toFixed(1)} classes in effect; the class prior has ${expected.toFixed(1)}.`,
  ];
}

function vanished(rounds: readonly LabellingRound[], prior: readonly number[], classes: readonly string[]): string[] {
  const last = rounds.at(-1)!;
  const images = sum(last.predicted);
  return classes.flatMap((name, k) => {
    const expected = (prior[k]! / sum(prior)) * images;
    if (expected >= FEWEST_EXPECTED && last.predicted[k]! < VANISHED * expected)
      return [
        `Class ${name} vanishes: ${last.predicted[k]} images are taken for it, the prior expects ${Math.round(expected)}.`,
      ];
    const before = Math.max(0, ...rounds.slice(0, -1).map(({ used }) => used[k]!));
    if (before >= FEWEST_EXPECTED && last.used[k]! < VANISHED * before)
      return [`Class ${name} vanishes: ${last.used[k]} of its labels are used, in an earlier round ${before}.`];
    return [];
  });
}

function worse(rounds: readonly LabellingRound[], classes: readonly string[]): string[] {
  const last = rounds.at(-1)!.held;
  const earlier = rounds.slice(0, -1).flatMap(({ held }, r) => (held === undefined ? [] : [{ held, round: r + 1 }]));
  if (last === undefined || earlier.length === 0) return [];
  for (const { held, round } of earlier)
    if (held.labels.length !== last.labels.length || held.labels.some((label, i) => label !== last.labels[i]))
      throw new RangeError(`Rounds ${round} and ${rounds.length} must be judged on the same held images.`);
  const compare = (what: string, score: (held: HeldPredictions) => number[]): string[] => {
    const scored = earlier.map(({ held, round }) => ({ round, scores: score(held) }));
    const best = scored.toSorted((a, b) => sum(b.scores) - sum(a.scores) || a.round - b.round)[0]!;
    const { mean, interval } = pairedDifference(score(last), best.scores);
    if (interval[1] >= 0) return [];
    const [change, low, high] = [mean, ...interval].map((value) => value.toFixed(3));
    return [
      `Out of fold, ${what} is worse than in round ${best.round} by ${change} (95 % interval ${low} to ${high}).`,
    ];
  };
  return [
    ...compare('accuracy', ({ probabilities, labels }) => {
      const given = mostLikely(probabilities, classes.length).labels;
      return labels.map((label, i) => Number(label === given[i]));
    }),
    ...compare('log-likelihood', (held) => {
      const rows = atTemperature(held.probabilities, classes.length, heldTemperature(held, classes));
      return held.labels.map((label, i) => Math.log(rows[i * classes.length + label]!));
    }),
  ];
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
