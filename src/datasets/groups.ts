import { InputError } from '../core/errors.ts';
import { counted, shownList, type Sample } from './dataset.ts';
import type { Candidates } from './read-folder.ts';

/**
 * Puts images into groups (a patient, a product, a burst of photos) that are never split.
 * @param group the name of a column that the manifest has, else a regular expression on the relative path: its first
 *   capture group, or all that it matches without one, is the name of the group
 * @throws InputError for an expression that can't be read, or that matches no path
 */
export function inGroups(found: Candidates, group: string | undefined): Candidates {
  if (group === undefined || found.hasGroup) return found;
  const pattern = expression(group);
  const candidates = found.candidates.map((candidate) => {
    const match = pattern.exec(candidate.id);
    const name = match === null ? '' : (match[1] ?? match[0]);
    return name === '' ? candidate : { ...candidate, group: name };
  });
  const alone = candidates.filter((candidate) => candidate.group === undefined).map(({ id }) => id);
  if (alone.length === candidates.length)
    throw new InputError(
      `The group "${group}" is no column of the data and, as a regular expression, matches no path` +
        `${alone.length === 0 ? '' : ` (the first: ${shownList(alone, 1)})`}.`,
    );
  if (alone.length === 0) return { ...found, candidates };
  const warning = `${counted(alone.length, 'image')} in no group, each on its own: ${shownList(alone)}`;
  return { ...found, candidates, warnings: [...found.warnings, warning] };
}

function expression(source: string): RegExp {
  try {
    return new RegExp(source, 'u');
  } catch (error) {
    throw new InputError(
      `The group "${source}" is no column of the data and no regular expression: ${(error as Error).message}.`,
      { cause: error },
    );
  }
}

/**
 * Ids of samples to keep on one side of a split: copies, what lies in one group, and what is tied by both.
 * @param copies groups of copies, by id
 * @returns `copies` themselves where no sample has a group
 */
export function joinGroups(
  copies: readonly (readonly string[])[],
  samples: readonly Sample[],
): readonly (readonly string[])[] {
  const declared = membersOf(samples);
  if (declared.size === 0) return copies;
  const boss = new Map<string, string>();
  const find = (id: string): string => {
    let top = id;
    while (boss.get(top) !== undefined) top = boss.get(top)!;
    // The way is shortened for the next who asks.
    for (let at = id; at !== top;) {
      const above = boss.get(at)!;
      boss.set(at, top);
      at = above;
    }
    return top;
  };
  const together = [...copies, ...[...declared.values()].map((members) => members.map(({ id }) => id))];
  for (const [first, ...rest] of together)
    for (const other of rest) {
      const [a, b] = [find(first!), find(other)];
      if (a !== b) boss.set(b, a);
    }
  const joined = new Map<string, Set<string>>();
  for (const id of together.flat()) {
    const top = find(id);
    joined.set(top, (joined.get(top) ?? new Set()).add(id));
  }
  return [...joined.values()].filter((ids) => ids.size > 1).map((ids) => [...ids]);
}

/** Samples by the name of their group. */
export function membersOf(samples: readonly Sample[]): Map<string, Sample[]> {
  const members = new Map<string, Sample[]>();
  for (const sample of samples) {
    if (sample.group === undefined) continue;
    const known = members.get(sample.group);
    if (known === undefined) members.set(sample.group, [sample]);
    else known.push(sample);
  }
  return members;
}
