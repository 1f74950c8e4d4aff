import { compareText } from './dataset.ts';
import { joinVotes, type Vote } from './dawid-skene.ts';
import type { PlacedRow } from './place-rows.ts';

/** What several annotators make of a manifest. */
export interface Annotation {
  /** How often each is right, judged by all together, 0..1; by name. */
  readonly annotators: readonly { readonly name: string; readonly labels: number; readonly accuracy: number }[];
  /** Images that more than one has labelled. */
  readonly shared: number;
  /** Those that they do not agree about, the least certain first. */
  readonly disagreements: readonly {
    readonly file: string;
    /** What each said. */
    readonly labels: Readonly<Record<string, string>>;
    readonly joined: string;
    /** Of the joined label, 0..1. */
    readonly probability: number;
  }[];
}

/**
 * Joins rows that several annotators have written of one image (`joinVotes`): the likeliest class is its label, the chances of
 * all are its soft label.
 * @returns one row an image, and what the annotators agree and disagree about; undefined where no row names an annotator
 */
export function joinAnnotators(placed: readonly PlacedRow[]): {
  readonly placed: readonly PlacedRow[];
  readonly annotation: Annotation | undefined;
} {
  const named = placed.filter(({ row, candidate }) => row.annotator !== '' && candidate.className !== undefined);
  if (named.length === 0) return { placed, annotation: undefined };
  const ids = [...new Set(named.map(({ candidate }) => candidate.id))];
  const names = [...new Set(named.map(({ row }) => row.annotator))].toSorted(compareText);
  const classes = [...new Set(named.map(({ candidate }) => candidate.className!))].toSorted(compareText);
  const [item, annotator, label] = [ids, names, classes].map((list) => new Map(list.map((name, at) => [name, at])));
  const votes = named.map(({ row, candidate }): Vote => ({
    item: item!.get(candidate.id)!,
    annotator: annotator!.get(row.annotator)!,
    label: label!.get(candidate.className!)!,
  }));
  const { posterior } = joinVotes(votes, ids.length, names.length, classes.length);
  const best = posterior.map((row) => row.indexOf(Math.max(...row)));
  const joinedRows = new Map<string, PlacedRow>();
  for (const one of placed) {
    const { id } = one.candidate;
    const at = item!.get(id);
    if (joinedRows.has(id) || (at !== undefined && one.candidate.className === undefined)) continue;
    if (at === undefined) joinedRows.set(id, one);
    else {
      const chances = Object.fromEntries(classes.map((name, k) => [name, posterior[at]![k]!]));
      joinedRows.set(id, { ...one, candidate: { ...one.candidate, className: classes[best[at]!]!, chances } });
    }
  }
  const byItem = ids.map((): Vote[] => []);
  for (const vote of votes) byItem[vote.item]!.push(vote);
  return {
    placed: [...joinedRows.values()],
    annotation: {
      annotators: names.map((name, a) => {
        const own = votes.filter((vote) => vote.annotator === a);
        const right = own.reduce((sum, vote) => sum + posterior[vote.item]![vote.label]!, 0);
        return { name, labels: own.length, accuracy: right / own.length };
      }),
      shared: byItem.filter((own) => own.length > 1).length,
      disagreements: byItem
        .map((own, at) => ({
          file: ids[at]!,
          labels: Object.fromEntries(own.map((vote) => [names[vote.annotator]!, classes[vote.label]!])),
          joined: classes[best[at]!]!,
          probability: posterior[at]![best[at]!]!,
        }))
        .filter((_, at) => new Set(byItem[at]!.map((vote) => vote.label)).size > 1)
        .toSorted((a, b) => a.probability - b.probability || compareText(a.file, b.file)),
    },
  };
}
