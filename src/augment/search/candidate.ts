import { shuffled, type RandomStream } from '../../core/random.ts';
import { MAX_MAGNITUDE } from '../policies/magnitude.ts';

/** A point of the search: RandAugment over some operations, with or without mixing of images. */
export interface Candidate {
  /** Operations an image; 0: crop, flips and mixing alone. */
  readonly n: number;
  /** 0 to 30. */
  readonly m: number;
  /** Names, in the order of the alphabet. */
  readonly operations: readonly string[];
  /** A name in the space's `mixings`; absent: none. */
  readonly mixing?: string;
}

/** Ways of mixing that a search tries: for half of the images, as few epochs learn little from mixed ones alone. */
export const MIXINGS: ReadonlyMap<string, string> = new Map([
  ['cutmix', 'cutmix(1,p=0.5)'],
  ['mixup', 'mixup(0.2,p=0.5)'],
]);

/** What is searched: the operations that are safe for this data set, and how strong each may become. */
export interface SearchSpace {
  /** What stands before every candidate: crop and flips. */
  readonly base: string;
  readonly operations: readonly string[];
  /** Of each, the highest level that is safe, above 0 and up to 1; a magnitude above it leaves the operation out. */
  readonly levels: ReadonlyMap<string, number>;
  readonly most: { readonly n: number; readonly m: number };
  /** Ways of mixing images, by name, as they stand in a policy; may be empty. */
  readonly mixings: ReadonlyMap<string, string>;
}

/** As `parsePolicy` reads it. */
export function policyOf({ n, m, operations, mixing }: Candidate, { base, levels, mixings }: SearchSpace): string {
  const safe = operations.filter((name) => m / MAX_MAGNITUDE <= levels.get(name)! + 1e-9);
  const names = safe.map((name) => `'${name}'`).join(',');
  return [
    base,
    ...(n === 0 || safe.length === 0 ? [] : [`randaugment(${names},${n},${m})`]),
    ...(mixing === undefined ? [] : [mixings.get(mixing)!]),
  ].join('|');
}

/**
 * RandAugment's grid over all safe operations (Cubuk et al. 2019, section 4), from weak to strong; then the same with each way
 * of mixing.
 */
export function grid(space: SearchSpace): Candidate[] {
  const { operations, most } = space;
  return waysOfMixing(space).flatMap((mixing) =>
    [1, 2, 3]
      .filter((n) => n <= most.n)
      .flatMap((n) =>
        [3, 6, 9, 14, 20].filter((m) => m <= most.m).map((m) => withMixing({ n, m, operations }, mixing)),
      ),
  );
}

/** Drawn evenly: how many operations, how strong, which, and whether and how images are mixed. */
export function randomCandidate(space: SearchSpace, stream: RandomStream): Candidate {
  const { operations, most } = space;
  const count = 1 + stream.integer(operations.length);
  const candidate = {
    n: 1 + stream.integer(most.n),
    m: 1 + stream.integer(most.m),
    operations: shuffled(operations, stream).slice(0, count).toSorted(),
  };
  const ways = waysOfMixing(space);
  return withMixing(candidate, ways[stream.integer(ways.length)]);
}

/** None first. */
const waysOfMixing = ({ mixings }: SearchSpace): (string | undefined)[] => [undefined, ...mixings.keys()];

function withMixing({ n, m, operations }: Candidate, mixing: string | undefined): Candidate {
  return { n, m, operations, ...(mixing !== undefined && { mixing }) };
}

/** One change: an operation more, less or another, one operation an image more or less, another magnitude, or other mixing. */
export function mutated(parent: Candidate, space: SearchSpace, stream: RandomStream): Candidate {
  const { n, m, operations, mixing } = parent;
  const changes: (() => Candidate)[] = [];
  const any = <T>(list: readonly T[]): T => list[stream.integer(list.length)]!;
  const changed = (change: Partial<Candidate>): Candidate => ({ ...parent, ...change });
  if (n < space.most.n) changes.push(() => changed({ n: n + 1 }));
  // Without operations it changes nothing which they are, and how strong.
  if (n > 0) {
    const others = space.operations.filter((name) => !operations.includes(name));
    const without = (name: string): string[] => operations.filter((other) => other !== name);
    if (others.length > 0) changes.push(() => changed({ operations: [...operations, any(others)].toSorted() }));
    if (operations.length > 1) changes.push(() => changed({ operations: without(any(operations)) }));
    if (others.length > 0 && operations.length > 0)
      changes.push(() => changed({ operations: [...without(any(operations)), any(others)].toSorted() }));
    if (n > 1) changes.push(() => changed({ n: n - 1 }));
    if (m > 1) changes.push(() => changed({ m: Math.max(1, Math.round(m / 1.5)) }));
    if (m < space.most.m) changes.push(() => changed({ m: Math.min(space.most.m, MAX_MAGNITUDE, Math.ceil(m * 1.5)) }));
  }
  const mixings = waysOfMixing(space).filter((other) => other !== mixing);
  if (mixings.length > 0) changes.push(() => withMixing(parent, any(mixings)));
  return changes.length === 0 ? parent : any(changes)();
}
