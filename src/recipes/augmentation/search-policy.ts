import { successiveHalving, type Evaluate, type Scored } from '../../augment/search/halving.ts';
import { evolve } from '../../augment/search/evolve.ts';
import {
  grid,
  MIXINGS,
  policyOf,
  randomCandidate,
  type Candidate,
  type SearchSpace,
} from '../../augment/search/candidate.ts';
import { OPERATIONS } from '../../augment/operations.ts';
import { safeLevels } from '../../augment/safety.ts';
import { randomStream } from '../../core/random.ts';
import { holdOut } from '../../datasets/split.ts';
import { InputError } from '../../core/errors.ts';
import { pairedDifference, type PairedDifference } from '../../evaluate/paired-difference.ts';
import type { Network } from '../networks/network.ts';
import { accuracyOf, type PolicyTrials, type TrialRequest } from './policy-trials.ts';
import { foldsOf, type Fold, type LabelledSample, type TrainingData } from '../prepare-data.ts';
import type { Safety } from './probe-safety.ts';

/** The part of the images that no trial of the search sees. */
const CONFIRM_SHARE = 0.3;
export const SEARCH_FOLDS = 3;
/** Of the full number of epochs, what a network from scratch has learnt where short trials go on from it: with half of them a trial is as long as a full one. */
const START_SHARE = 1 / 2;
/** Shares of the full number of epochs, and folds, of each rung. */
const RUNGS = [
  { share: 1 / 4, folds: 1 },
  { share: 1 / 2, folds: 2 },
  { share: 1, folds: 3 },
] as const;
/** Of the time: for the search, for random policies, and for comparing what they found. */
const SHARES = { search: 0.35, random: 0.35 } as const;

export interface SearchParts {
  /** Images that the search may see, in folds. */
  readonly folds: readonly Fold[];
  readonly search: readonly LabelledSample[];
  /** Images that it does not see. */
  readonly confirm: readonly LabelledSample[];
}

/** @throws InputError where there are too few images to search on some and confirm on others */
export function searchParts(data: TrainingData, seed: number): SearchParts {
  const { held, rest } = holdOut(data.train, data.duplicates.groups, CONFIRM_SHARE, seed);
  const [confirm, search] = [held as LabelledSample[], rest as LabelledSample[]];
  const folds = foldsOf(search, data, SEARCH_FOLDS, seed);
  if (folds.length < SEARCH_FOLDS || confirm.length === 0)
    throw new InputError(
      `A search needs labelled images to train on, to choose by and to confirm with: at least 5 of a class, got ${data.train.length} in ${data.classes.length} classes.`,
    );
  return { folds, search, confirm };
}

export interface Arm {
  readonly name: 'base' | 'trivialaugment' | 'random' | 'searched';
  readonly policy: string;
  /** On the images that no trial saw, mean over the seeds. */
  readonly accuracy: number;
}

export interface PolicyEvidence {
  /** What is recommended: the searched policy where it is better than the base on unseen images, else the base. */
  readonly policy: string;
  readonly arms: readonly Arm[];
  /** Of the searched policy, on images that the search did not see. */
  readonly gain: Readonly<Record<'base' | 'trivialaugment' | 'random', PairedDifference>>;
  /** Images that the gain is measured on, and trainings an arm. */
  readonly images: number;
  readonly seeds: number;
  /** Trainings in all, and the seconds they took. */
  readonly trials: number;
  readonly seconds: number;
  readonly space: {
    readonly base: string;
    /** The highest level of each that is safe, 0..1. */
    readonly operations: Readonly<Record<string, number>>;
    readonly mixings: readonly string[];
  };
}

export interface SearchRequest {
  readonly parts: SearchParts;
  readonly safety: Safety;
  /** What the safety cost, in seconds: part of the search's time. */
  readonly safetySeconds: number;
  readonly allow: readonly string[];
  readonly deny: readonly string[];
  /** The crop that stands before every policy. */
  readonly crop: string;
  /** Of a full training. */
  readonly epochs: number;
  /**
   * Where short trials on a fold go on from: a network that was trained on it with crops alone for half of the epochs. From random
   * weights a few epochs rank strong policies last, whatever they are worth in many. Full trials begin anew.
   */
  readonly startOf?: ((fold: number) => Promise<Network>) | undefined;
  readonly seed: number;
  readonly seconds: number;
  /** @param found the best policy so far and its score */
  readonly onTrial?: (found: string | undefined) => void;
}

/**
 * Searches a policy: RandAugment's grid, alone and with mixing, by successive halving, then subsets of operations by evolution, within what is safe.
 * The same time goes to random policies. Then the best of both, TrivialAugment and crops and flips alone are trained on
 * all images that the search saw and compared on those that it did not see.
 */
export async function searchPolicy(trials: PolicyTrials, request: SearchRequest): Promise<PolicyEvidence> {
  const { seed, seconds, epochs, parts } = request;
  const space = searchSpace(request);
  const stream = randomStream(seed, 'policy search');
  let best: { policy: string; score: number; rung: number } | undefined;
  const evaluate: Evaluate = async (candidate, rung) => {
    const { share, folds } = RUNGS[rung]!;
    const policy = policyOf(candidate, space);
    const results = [];
    for (const i of parts.folds.slice(0, folds).keys())
      results.push(await trials.run(trialOn(request, i, policy, effort(epochs, share))));
    const nlls = results.flatMap(({ nll }) => nll);
    // The likelihood decides between equals, of which few images have many.
    const score = accuracyOf(results) - 1e-3 * Math.min(100, nlls.reduce((sum, nll) => sum + nll, 0) / nlls.length);
    if (best === undefined || rung > best.rung || (rung === best.rung && score > best.score))
      best = { policy, score, rung };
    request.onTrial?.(`best so far ${(best.score * 100).toFixed(1)} %: ${best.policy}`);
    return score;
  };

  const costs = await costOfRungs(trials, request, space);
  const searchUntil = request.safetySeconds + SHARES.search * seconds;
  const elapsed = (): number => request.safetySeconds + trials.seconds;
  const fitting = (budget: number): number => Math.max(3, Math.floor(budget / costs.perCandidate));
  // Crops and flips alone are one of them: what they reach in the first trial is known.
  const plain: Candidate = { n: 0, m: 3, operations: space.operations };
  const first = [plain, ...spread(grid(space), fitting((searchUntil - elapsed()) / 2))];
  const halved = await successiveHalving(first, RUNGS.length, evaluate, () => elapsed() > searchUntil);
  const seeds = halved.slice(0, 4);
  const evolved = await evolve(seeds, space, 1, evaluate, () => elapsed() > searchUntil - costs.top, stream);
  const searched = await bestOf([...halved.slice(0, 1), ...evolved.slice(0, 1)], evaluate, space);

  best = undefined;
  const randomUntil = elapsed() + Math.max(SHARES.random * seconds, elapsed() - request.safetySeconds);
  const drawn = Array.from({ length: fitting(randomUntil - elapsed()) }, () => randomCandidate(space, stream));
  const randoms = await successiveHalving(drawn, RUNGS.length, evaluate, () => elapsed() > randomUntil);
  const random = await bestOf(randoms.slice(0, 1), evaluate, space);

  return confirmed(trials, request, space, { searched, random });
}

/** Trains the arms on all images that the search saw, with as many seeds as there is time for, and scores the others. */
async function confirmed(
  trials: PolicyTrials,
  { parts, epochs, seed, seconds, safetySeconds, onTrial }: SearchRequest,
  space: SearchSpace,
  found: { readonly searched: string; readonly random: string },
): Promise<PolicyEvidence> {
  const policies = {
    base: space.base,
    trivialaugment: `${space.base}|trivialaugment`,
    random: found.random,
    searched: found.searched,
  } as const;
  const names = Object.keys(policies) as Arm['name'][];
  const right = Object.fromEntries(names.map((name) => [name, parts.confirm.map(() => 0)])) as Record<
    Arm['name'],
    number[]
  >;
  const start = safetySeconds + trials.seconds;
  let seeds = 0;
  do {
    for (const name of names) {
      const result = await trials.run({
        policy: policies[name],
        epochs,
        seed: seed + seeds,
        part: 'confirm',
        train: parts.search,
        held: parts.confirm,
      });
      for (const [i, isRight] of result.right.entries()) right[name][i]! += isRight ? 1 : 0;
      onTrial?.(`comparing, ${seeds + 1}: ${name}`);
    }
    seeds++;
  } while (safetySeconds + trials.seconds + (safetySeconds + trials.seconds - start) / seeds < seconds && seeds < 10);
  const share = (name: Arm['name']): number[] => right[name].map((count) => count / seeds);
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const arms = names.map((name): Arm => ({ name, policy: policies[name], accuracy: mean(share(name)) }));
  const against = (name: Arm['name']): PairedDifference => pairedDifference(share('searched'), share(name));
  const gain = { base: against('base'), trivialaugment: against('trivialaugment'), random: against('random') };
  return {
    policy: gain.base.mean > 0 ? policies.searched : policies.base,
    arms,
    gain,
    images: parts.confirm.length,
    seeds,
    trials: trials.count,
    seconds: safetySeconds + trials.seconds,
    space: {
      base: space.base,
      operations: Object.fromEntries(space.levels),
      mixings: [...space.mixings.values()],
    },
  };
}

/** What is safe, with what the user says. */
function searchSpace({ safety, allow, deny, crop }: SearchRequest): SearchSpace {
  const levels = safeLevels(safety.views);
  for (const name of allow) levels.set(name, 1);
  for (const name of deny) levels.set(name, 0);
  const isSafe = (name: string): boolean => (levels.get(name) ?? 0) > 0;
  const operations = [...OPERATIONS.values()]
    .filter(({ name, strength, group }) => strength !== undefined && group !== 'crop' && isSafe(name))
    .map(({ name }) => name)
    .toSorted();
  if (operations.length === 0)
    throw new InputError(
      'No operation is safe on this data; `gleaner augment safety` shows why, --allow overrules it.',
    );
  return {
    base: isSafe('flip') ? `${crop}|flip` : crop,
    operations,
    levels: new Map(operations.map((name) => [name, levels.get(name)!])),
    most: { n: 3, m: 30 },
    mixings: new Map([...MIXINGS].filter(([name]) => !deny.includes(name))),
  };
}

/** Measured by one training of the base at the lowest rung. */
async function costOfRungs(
  trials: PolicyTrials,
  request: SearchRequest,
  { base }: SearchSpace,
): Promise<{ readonly perCandidate: number; readonly top: number }> {
  const { epochs } = request;
  const { share } = RUNGS[0];
  const { seconds } = await trials.run(trialOn(request, 0, base, effort(epochs, share)));
  const cost = RUNGS.map((rung) => ((seconds * effort(epochs, rung.share)) / effort(epochs, share)) * rung.folds);
  // A third of the candidates reaches each next rung.
  return { perCandidate: cost.reduce((sum, value, i) => sum + value / 3 ** i, 0), top: cost.at(-1)! };
}

/** @param i of the fold */
function trialOn(request: SearchRequest, i: number, policy: string, epochs: number): TrialRequest {
  const { parts, seed, startOf } = request;
  const start = startOf && epochs < request.epochs ? () => startOf(i) : undefined;
  return { ...parts.folds[i]!, policy, epochs, seed, part: `fold-${i + 1}`, start };
}

/** Of the network that short trials from scratch go on from. */
export const startEpochs = (epochs: number): number => effort(epochs, START_SHARE);

function effort(epochs: number, share: number): number {
  return Math.max(1, Math.round(epochs * share));
}

/** `count` of a list, evenly spread over it. */
function spread<T>(list: readonly T[], count: number): T[] {
  if (count >= list.length) return [...list];
  return Array.from({ length: count }, (_, i) => list[Math.floor(((i + 0.5) * list.length) / count)]!);
}

/** All brought to the highest rung; the best of them as a policy. */
async function bestOf(entries: readonly Scored[], evaluate: Evaluate, space: SearchSpace): Promise<string> {
  const top = RUNGS.length - 1;
  let best: { candidate: Candidate; score: number } | undefined;
  for (const { candidate, rung, score } of entries) {
    const scored = rung === top ? score : await evaluate(candidate, top);
    if (best === undefined || scored > best.score) best = { candidate, score: scored };
  }
  return policyOf(best!.candidate, space);
}
