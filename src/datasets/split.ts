import { randomStream, shuffled } from '../core/random.ts';
import { InputError } from '../core/errors.ts';
import type { Sample } from './dataset.ts';

/** Samples that stay together: duplicates of each other, or a single one. */
interface Unit {
  readonly samples: readonly Sample[];
  /** The class most of them have. */
  readonly label: number;
}

/**
 * Sets aside about `fraction` of each class, duplicates kept together. The same seed and samples give the
 * same split, whatever the order of the samples.
 * @param groups ids of samples that stay together
 * @returns `held` and `rest`; a class of too few images is wholly in `rest`
 * @throws RangeError unless `fraction` lies in 0..1, ends excluded.
 */
export function holdOut(
  samples: readonly Sample[],
  groups: readonly (readonly string[])[],
  fraction: number,
  seed: number,
): { held: Sample[]; rest: Sample[] } {
  if (!(fraction > 0 && fraction < 1))
    throw new RangeError(`A holdout is a fraction between 0 and 1, ends excluded, got ${fraction}.`);
  const held = new Set<Sample>();
  for (const units of byClass(unitsOf(samples, groups), seed, 'hold-out')) {
    const total = units.reduce((sum, unit) => sum + unit.samples.length, 0);
    const target = Math.round(total * fraction);
    let count = 0;
    // One unit always stays; a unit that would overshoot by more than it brings nearer is passed over.
    let left = units.length;
    for (const unit of units) {
      const after = count + unit.samples.length;
      if (left <= 1 || after - target > target - count) continue;
      for (const sample of unit.samples) held.add(sample);
      count = after;
      left--;
    }
  }
  return { held: samples.filter((sample) => held.has(sample)), rest: samples.filter((sample) => !held.has(sample)) };
}

/**
 * Deals samples into `k` folds, each with about the same number of each class, duplicates kept together.
 * @throws InputError where there are fewer independent images than folds.
 */
export function folds(
  samples: readonly Sample[],
  groups: readonly (readonly string[])[],
  k: number,
  seed: number,
): Sample[][] {
  if (!Number.isSafeInteger(k) || k < 2) throw new RangeError(`Cross-validation needs 2 folds or more, got ${k}.`);
  const units = unitsOf(samples, groups);
  if (units.length < k)
    throw new InputError(
      `Cross-validation in ${k} folds needs at least ${k} images that are neither copies of each other nor of one group, got ${units.length}.`,
    );
  const foldOf = new Map<Sample, number>();
  const sizes = Array.from({ length: k }, () => 0);
  for (const ofClass of byClass(units, seed, 'folds')) {
    const counts = Array.from({ length: k }, () => 0);
    // Large groups first: what is left evens out.
    for (const unit of ofClass.toSorted((a, b) => b.samples.length - a.samples.length)) {
      let best = 0;
      for (let fold = 1; fold < k; fold++)
        if (counts[fold]! < counts[best]! || (counts[fold] === counts[best] && sizes[fold]! < sizes[best]!))
          best = fold;
      counts[best]! += unit.samples.length;
      sizes[best]! += unit.samples.length;
      for (const sample of unit.samples) foldOf.set(sample, best);
    }
  }
  return sizes.map((_, fold) => samples.filter((sample) => foldOf.get(sample) === fold));
}

/** Images that are no copies of each other, in the class that has most of them. */
export function mostInAClass(samples: readonly Sample[], groups: readonly (readonly string[])[]): number {
  const counts = new Map<number, number>();
  for (const { label } of unitsOf(samples, groups)) counts.set(label, (counts.get(label) ?? 0) + 1);
  return Math.max(0, ...counts.values());
}

/** Units of each class, in an order drawn by `seed` that does not depend on the order they came in. */
function byClass(units: readonly Unit[], seed: number, purpose: string): Unit[][] {
  const classes = new Map<number, Unit[]>();
  for (const unit of units) {
    const known = classes.get(unit.label);
    if (known === undefined) classes.set(unit.label, [unit]);
    else known.push(unit);
  }
  return [...classes]
    .toSorted(([a], [b]) => a - b)
    .map(([label, ofClass]) =>
      shuffled(
        ofClass.toSorted((a, b) => (a.samples[0]!.id < b.samples[0]!.id ? -1 : 1)),
        randomStream(seed, purpose, label),
      ),
    );
}

function unitsOf(samples: readonly Sample[], groups: readonly (readonly string[])[]): Unit[] {
  const groupOf = new Map(groups.flatMap((group, index) => group.map((id) => [id, index] as const)));
  const members = new Map<number | string, Sample[]>();
  for (const sample of samples) {
    if (sample.label === undefined)
      throw new TypeError(`Only labelled images can be split by class; ${sample.id} has no label.`);
    const key = groupOf.get(sample.id) ?? sample.id;
    const known = members.get(key);
    if (known === undefined) members.set(key, [sample]);
    else known.push(sample);
  }
  return [...members.values()].map((unit) => ({
    samples: unit.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
    label: commonest(unit.map(({ label }) => label!)),
  }));
}

function commonest(labels: readonly number[]): number {
  const counts = new Map<number, number>();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  return [...counts].toSorted(([a, m], [b, n]) => n - m || a - b)[0]![0];
}
