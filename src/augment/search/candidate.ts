import { shuffled, type RandomStream } from '../../core/random.ts';
import { MAX_MAGNITUDE } from '../policies/magnitude.ts';

/** A point of the search: RandAugment over some operations. */
export interface Candidate {
  /** Operations an image. */
  readonly n: number;
  /** 0 to 30. */
  readonly m: number;
  /** Names, in the order of the alphabet. */
  readonly operations: readonly string[];
}

/** What is searched: the operations that are safe for this data set, and how strong each may become. */
export interface SearchSpace {
  /** What stands before every candidate: crop and flips. */
  readonly base: string;
  readonly operations: readonly string[];
  /** Of each, the highest level that is safe, above 0 and up to 1; a magnitude above it leaves the operation out. */
  readonly levels: ReadonlyMap<string, number>;
  readonly most: { readonly n: number; readonly m: number };
}

/** As `parsePolicy` reads it. */
export function policyOf({ n, m, operations }: Candidate, { base, levels }: SearchSpace): string {
  const safe = operations.filter((name) => m / MAX_MAGNITUDE <= levels.get(name)! + 1e-9);
  if (n === 0 || safe.length === 0) return base;
  const names = safe.map((name) => `'${name}'`).join(',');
  return `${base}|randaugment(${names},${n},${m})`;
}

/** RandAugment's grid over all safe operations (Cubuk et al. 2019, section 4), from weak to strong. */
export function grid({ operations, most }: SearchSpace): Candidate[] {
  return [1, 2, 3]
    .filter((n) => n <= most.n)
    .flatMap((n) => [3, 6, 9, 14, 20].filter((m) => m <= most.m).map((m) => ({ n, m, operations })));
}

/** Drawn evenly: how many operations, how strong, and which. */
export function randomCandidate({ operations, most }: SearchSpace, stream: RandomStream): Candidate {
  const count = 1 + stream.integer(operations.length);
  return {
    n: 1 + stream.integer(most.n),
    m: 1 + stream.integer(most.m),
    operations: shuffled(operations, stream).slice(0, count).toSorted(),
  };
}

/** One change: an operation more, less or another, one operation an image more or less, or another magnitude. */
export function mutated(parent: Candidate, space: SearchSpace, stream: RandomStream): Candidate {
  const { n, m, operations } = parent;
  const others = space.operations.filter((name) => !operations.includes(name));
  const changes: (() => Candidate)[] = [];
  const any = <T>(list: readonly T[]): T => list[stream.integer(list.length)]!;
  const without = (name: string): string[] => operations.filter((other) => other !== name);
  if (others.length > 0) changes.push(() => ({ n, m, operations: [...operations, any(others)].toSorted() }));
  if (operations.length > 1) changes.push(() => ({ n, m, operations: without(any(operations)) }));
  if (others.length > 0 && operations.length > 0)
    changes.push(() => ({ n, m, operations: [...without(any(operations)), any(others)].toSorted() }));
  if (n > 1) changes.push(() => ({ n: n - 1, m, operations }));
  if (n < space.most.n) changes.push(() => ({ n: n + 1, m, operations }));
  if (m > 1) changes.push(() => ({ n, m: Math.max(1, Math.round(m / 1.5)), operations }));
  if (m < space.most.m)
    changes.push(() => ({ n, m: Math.min(space.most.m, MAX_MAGNITUDE, Math.ceil(m * 1.5)), operations }));
  return changes.length === 0 ? parent : any(changes)();
}
