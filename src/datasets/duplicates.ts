import { pairConfirmer } from './confirm-copies.ts';
import { compareText, type Quarantined, type Sample } from './dataset.ts';
import { joinGroups } from './groups.ts';
import { proposeCopies } from './propose-copies.ts';
import { thumbnailsOf, type ThumbnailOptions } from './thumbnails.ts';

/** Pairs that are being confirmed. */
const ASKED_AT_A_TIME = 6;

/** Two files that show the same picture. */
export interface DuplicatePair {
  /** Ids of samples, in their order. */
  readonly files: readonly [string, string];
  /** `exact`: the same bytes. `near`: the same picture resized, encoded anew, cropped by up to a tenth, or mirrored. */
  readonly kind: 'exact' | 'near';
  readonly mirrored: boolean;
}

export interface Duplicates {
  /** Every confirmed pair; of n files with the same bytes, the n - 1 pairs with the first. */
  readonly pairs: readonly DuplicatePair[];
  /**
   * Ids of files that show one picture; the first represents them: each other was confirmed against it (or has
   * the same bytes as one that was), so that no chain joins strangers.
   */
  readonly copies: readonly (readonly string[])[];
  /** Ids of files to keep on one side of a split: `copies`, joined with the groups that samples belong to. */
  readonly groups: readonly (readonly string[])[];
  /** Files that did not decode. */
  readonly quarantined: readonly Quarantined[];
}

export interface DuplicateOptions extends ThumbnailOptions {
  /** Whether it is of interest that two samples are near duplicates; default always. */
  readonly matters?: (a: Sample, b: Sample) => boolean;
}

/**
 * Finds exact and near duplicates. Descriptors propose, aligned pixels confirm. Memory stays near 2 KB an
 * image; time grows nearly in proportion to their number.
 * @throws AbortedError by `signal`.
 */
export async function findDuplicates(samples: readonly Sample[], options: DuplicateOptions = {}): Promise<Duplicates> {
  const { matters = () => true } = options;
  const same = byContent(samples);
  const unique = [...same.values()].map((group) => group[0]!);
  const thumbnails = await thumbnailsOf(unique, options);
  const confirm = pairConfirmer(unique, thumbnails.grey, options.maxPixels);
  const isWanted = (a: Sample, b: Sample): boolean =>
    same.get(a.contentKey)!.some((x) => same.get(b.contentKey)!.some((y) => matters(x, y)));
  const near = new Map<string, { a: number; b: number; mirrored: boolean }>();
  // Images are decoded while more pairs are looked for; answers count in the order of the questions.
  const asked: { readonly a: number; readonly b: number; readonly answer: ReturnType<typeof confirm> }[] = [];
  const takeAnswer = async (): Promise<void> => {
    const { a, b, answer } = asked.shift()!;
    const found = await answer;
    if (found !== undefined && !near.has(`${a} ${b}`)) near.set(`${a} ${b}`, { a, b, mirrored: found.mirrored });
  };
  for await (const proposal of proposeCopies(thumbnails.grey, thumbnails.usable, options.signal)) {
    const [a, b] = [Math.min(proposal.source, proposal.copy), Math.max(proposal.source, proposal.copy)];
    if (near.has(`${a} ${b}`) || !isWanted(unique[a]!, unique[b]!)) continue;
    const answer = confirm(proposal);
    // Without a listener, a rejection that waits for its turn would end the process.
    answer.catch(() => {});
    asked.push({ a, b, answer });
    if (asked.length > ASKED_AT_A_TIME) await takeAnswer();
  }
  while (asked.length > 0) await takeAnswer();
  const pairs: DuplicatePair[] = [];
  for (const [first, ...rest] of same.values())
    for (const other of rest) pairs.push({ files: [first!.id, other.id], kind: 'exact', mirrored: false });
  for (const { a, b, mirrored } of near.values())
    pairs.push({ files: inOrder(unique[a]!.id, unique[b]!.id), kind: 'near', mirrored });
  const stars = starGroups(unique.length, [...near.values()]);
  const copies = stars
    .map((star) => star.flatMap((index) => same.get(unique[index]!.contentKey)!.map(({ id }) => id)))
    .filter((group) => group.length > 1);
  const broken = new Map(thumbnails.quarantined.map(({ file, reason }) => [file, reason]));
  return {
    pairs: pairs.toSorted((x, y) => compareText(x.files[0], y.files[0]) || compareText(x.files[1], y.files[1])),
    copies,
    groups: joinGroups(copies, samples),
    quarantined: unique.flatMap(({ id, contentKey }) => {
      const reason = broken.get(id);
      return reason === undefined ? [] : same.get(contentKey)!.map((copy) => ({ file: copy.id, reason }));
    }),
  };
}

function byContent(samples: readonly Sample[]): Map<string, Sample[]> {
  const same = new Map<string, Sample[]>();
  for (const sample of samples) {
    const group = same.get(sample.contentKey);
    if (group === undefined) same.set(sample.contentKey, [sample]);
    else group.push(sample);
  }
  return same;
}

/**
 * Groups by representatives: the item with most links takes what is linked to it, then the next of what is
 * left. Links between groups stay cut: A and C, both like B, are joined by B; a fourth like C alone is not.
 * @returns every item in exactly one group, its representative first
 */
export function starGroups(count: number, links: readonly { readonly a: number; readonly b: number }[]): number[][] {
  const linked = Array.from({ length: count }, () => new Set<number>());
  for (const { a, b } of links) {
    linked[a]!.add(b);
    linked[b]!.add(a);
  }
  const order = Array.from({ length: count }, (_, item) => item).toSorted(
    (x, y) => linked[y]!.size - linked[x]!.size || x - y,
  );
  const taken = new Uint8Array(count);
  const groups: number[][] = [];
  for (const item of order) {
    if (taken[item]) continue;
    const group = [item, ...[...linked[item]!].filter((other) => !taken[other]).toSorted((x, y) => x - y)];
    for (const member of group) taken[member] = 1;
    groups.push(group);
  }
  return groups;
}

function inOrder(a: string, b: string): [string, string] {
  return compareText(a, b) <= 0 ? [a, b] : [b, a];
}
