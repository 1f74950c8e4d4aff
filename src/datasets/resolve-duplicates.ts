import type { Conflict, Dataset, Sample, Split } from './dataset.ts';
import type { Duplicates } from './duplicates.ts';
import { membersOf } from './groups.ts';

/** One picture, or one group of pictures, in two splits. */
export interface Leak {
  readonly files: readonly [string, string];
  readonly splits: readonly [Split, Split];
  /** The file that was left out for it, if any. */
  readonly dropped?: string;
  /** Name of the group that both are of, where they are no copies. */
  readonly group?: string;
}

export interface Resolved {
  readonly dataset: Dataset;
  readonly leaks: readonly Leak[];
}

/**
 * Draws the consequences of duplicates:
 * - one picture under two labels: a conflict, its train copies are left out until a person resolves it
 *   (a mirrored pair is none: left and right hands are mirror images);
 * - an unlabelled copy of a val or test image is left out, always;
 * - a train copy of a val or test image is reported, and left out with `dropLeaks`;
 * - images of one group that are no copies are treated as such, but for their labels;
 * - val and test stay as they are.
 */
export function resolveDuplicates(
  dataset: Dataset,
  duplicates: Duplicates,
  options: { readonly dropLeaks?: boolean } = {},
): Resolved {
  const samples = new Map(dataset.samples.map((sample) => [sample.id, sample]));
  const dropped = new Set(duplicates.quarantined.map(({ file }) => file));
  const conflicts: Conflict[] = [...dataset.conflicts];
  const leaks: Leak[] = [];
  for (const [a, b, mirrored] of allPairs(duplicates, samples)) {
    if (a.label !== undefined && b.label !== undefined && a.label !== b.label && !mirrored) {
      conflicts.push({ files: [a.id, b.id], labels: [dataset.classes[a.label]!, dataset.classes[b.label]!] });
      for (const { id, split } of [a, b]) if (split === 'train') dropped.add(id);
    }
    if (isLeak(a, b)) report(a, b);
  }
  const reported = new Set(leaks.flatMap(({ files }) => files));
  for (const [group, members] of membersOf(dataset.samples)) {
    const one = standFor(members)!;
    for (const other of members) if (isLeak(one, other) && !reported.has(other.id)) report(one, other, group);
  }
  return {
    dataset: {
      ...dataset,
      samples: dropped.size === 0 ? dataset.samples : dataset.samples.filter(({ id }) => !dropped.has(id)),
      quarantined: [...dataset.quarantined, ...duplicates.quarantined],
      conflicts,
    },
    leaks,
  };

  function report(a: Sample, b: Sample, group?: string): void {
    const leaves = leaving(a, b, options.dropLeaks ?? false);
    if (leaves !== undefined) dropped.add(leaves.id);
    leaks.push({
      files: [a.id, b.id],
      splits: [a.split, b.split],
      ...(leaves !== undefined && { dropped: leaves.id }),
      ...(group !== undefined && { group }),
    });
  }
}

/**
 * Pairs that matter, each copy of a file included: of files with the same bytes, each with one that stands for
 * the others (a scored one where there is any), so that a thousand copies make a thousand pairs, not a million.
 */
function* allPairs(
  duplicates: Duplicates,
  samples: ReadonlyMap<string, Sample>,
): Generator<readonly [Sample, Sample, boolean]> {
  const copies = new Map<string, string[]>();
  for (const { files, kind } of duplicates.pairs) {
    if (kind !== 'exact') continue;
    const known = copies.get(files[0]);
    if (known === undefined) copies.set(files[0], [...files]);
    else known.push(files[1]);
  }
  const sameBytes = (id: string): Sample[] =>
    (copies.get(id) ?? [id]).flatMap((copy) => (samples.has(copy) ? [samples.get(copy)!] : []));
  for (const first of copies.keys()) {
    const all = sameBytes(first);
    const one = standFor(all);
    for (const other of all) if (one !== undefined && other !== one) yield [one, other, false];
  }
  for (const { files, kind, mirrored } of duplicates.pairs) {
    if (kind === 'exact') continue;
    const [left, right] = [sameBytes(files[0]), sameBytes(files[1])];
    const [a, b] = [standFor(left), standFor(right)];
    if (a === undefined || b === undefined) continue;
    for (const other of right) yield [a, other, mirrored];
    for (const other of left) if (other !== a) yield [other, b, mirrored];
  }
}

function standFor(samples: readonly Sample[]): Sample | undefined {
  return samples.find(({ split }) => split === 'test') ?? samples.find(isScored) ?? samples[0];
}

function isLeak(a: Sample, b: Sample): boolean {
  return a.split !== b.split && (isScored(a) || isScored(b));
}

function isScored({ split }: Sample): boolean {
  return split === 'val' || split === 'test';
}

function leaving(a: Sample, b: Sample, dropLeaks: boolean): Sample | undefined {
  const [scored, other] = isScored(a) ? [a, b] : [b, a];
  if (!isScored(scored) || isScored(other)) return undefined;
  return other.split === 'unlabeled' || dropLeaks ? other : undefined;
}
