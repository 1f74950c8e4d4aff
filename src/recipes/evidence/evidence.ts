import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { writePartsAtomic } from '../../core/atomic-file.ts';
import { csvRow } from '../../core/csv.ts';
import type { Sample } from '../../datasets/dataset.ts';
import type { MachineLabel } from '../../labelling/label-images.ts';
import type { RunFolder } from '../../train/run-folder.ts';
import type { LabelledSample } from '../prepare-data.ts';
import type { Nearest } from '../nearest-rows.ts';

/** Folder of a run with a CSV and a JSONL file for every time that a machine labelled its images. */
export const EVIDENCE_FOLDER = 'pseudo-labels';

/** An image that is like another. */
export interface Neighbour {
  readonly file: string;
  /** Its class: a person's, or the machine's in the same round. */
  readonly label: string;
  /** Cosine of the embeddings, -1..1. */
  readonly similarity: number;
}

/** What became of a label in a later round. */
export interface LaterLabel {
  readonly round: string;
  readonly label: string;
  readonly used: boolean;
  /** `same`, `label changed`, `dropped` or `taken up`. */
  readonly what: string;
}

/** All that is known of one machine label: a line of `pseudo-labels/ROUND.jsonl`. */
export interface Evidence {
  /** As the data names it. */
  readonly file: string;
  readonly label: string;
  /** The labeller's for that class, 0..1. */
  readonly probability: number;
  /** Calibrated, that the label is right, 0..1; null where nothing was held out. */
  readonly chance: number | null;
  /** Share of views and models that agree, 0..1. */
  readonly agreement: number;
  /** How little the image is like any class; null where that is not known. */
  readonly outlierScore: number | null;
  readonly used: boolean;
  /** In the loss. */
  readonly weight: number;
  /** In words, why it is used or not. */
  readonly reason: string;
  /** Who labelled. */
  readonly model: string;
  /** `round-1`, ..., `final`. */
  readonly round: string;
  /** The most alike first; none where no embedding is known. */
  readonly neighbours: { readonly labelled: readonly Neighbour[]; readonly machine: readonly Neighbour[] };
  readonly later: readonly LaterLabel[];
}

/** The labels of one round. */
export interface LabelledRound {
  readonly name: string;
  readonly model: string;
  /** Of each unlabelled image. */
  readonly labels: readonly MachineLabel[];
  readonly agreement: Float32Array;
}

export interface LabelledImages {
  readonly classes: readonly string[];
  readonly labelled: readonly LabelledSample[];
  readonly unlabelled: readonly Sample[];
  /** For each unlabelled image, rows of both lists; absent where no embedding is known. */
  readonly neighbours?: { readonly labelled: readonly Nearest[][]; readonly machine: readonly Nearest[][] } | undefined;
}

/**
 * Writes what is known of every machine label, as CSV and JSON lines, one an image. Earlier rounds are written again: they tell
 * what became of their labels.
 */
export async function writeEvidence(
  run: RunFolder,
  images: LabelledImages,
  rounds: readonly LabelledRound[],
): Promise<void> {
  for (const [i, round] of rounds.entries()) {
    const later = rounds.slice(i + 1);
    const file = (kind: string): string => run.file(EVIDENCE_FOLDER, `${round.name}.${kind}`);
    await mkdir(dirname(file('csv')), { recursive: true });
    await writePartsAtomic(file('csv'), csvLines(evidenceOf(images, round, later)));
    await writePartsAtomic(file('jsonl'), jsonLines(evidenceOf(images, round, later)));
  }
}

/** One row an image, in the order of the images; made when it is asked for. */
export function* evidenceOf(
  { classes, labelled, unlabelled, neighbours }: LabelledImages,
  { name, model, labels, agreement }: LabelledRound,
  later: readonly LabelledRound[],
): Generator<Evidence> {
  for (const [i, own] of labels.entries()) {
    const near = (list: readonly Nearest[] | undefined, of: (row: number) => [Sample, number]): Neighbour[] =>
      (list ?? []).map(({ row, similarity }) => {
        const [sample, label] = of(row);
        return { file: sample.id, label: classes[label]!, similarity: rounded(similarity) };
      });
    yield {
      file: unlabelled[i]!.id,
      label: classes[own.label]!,
      probability: rounded(own.probability),
      chance: own.chance === undefined ? null : rounded(own.chance),
      agreement: rounded(agreement[i]!),
      outlierScore: own.outlierScore === undefined ? null : rounded(own.outlierScore),
      used: own.used,
      weight: rounded(own.weight),
      reason: own.reason,
      model,
      round: name,
      neighbours: {
        labelled: near(neighbours?.labelled[i], (row) => [labelled[row]!, labelled[row]!.label]),
        machine: near(neighbours?.machine[i], (row) => [unlabelled[row]!, labels[row]!.label]),
      },
      later: later.map((round) => {
        const next = round.labels[i]!;
        return { round: round.name, label: classes[next.label]!, used: next.used, what: changeOf(own, next) };
      }),
    };
  }
}

function changeOf(before: MachineLabel, after: MachineLabel): string {
  if (after.label !== before.label) return 'label changed';
  if (after.used === before.used) return 'same';
  return after.used ? 'taken up' : 'dropped';
}

const COLUMNS = [
  'file',
  'label',
  'probability',
  'chance',
  'used',
  'weight',
  'reason',
  'agreement',
  'outlier score',
  'model',
  'round',
  'nearest labelled images',
  'nearest machine-labelled images',
  'later rounds',
];

function* csvLines(rows: Iterable<Evidence>): Generator<string> {
  yield `${csvRow(COLUMNS)}\n`;
  const near = (list: readonly Neighbour[]): string =>
    list.map(({ file, label, similarity }) => `${file} (${label}, ${similarity})`).join('; ');
  for (const row of rows)
    yield `${csvRow([
      row.file,
      row.label,
      row.probability,
      row.chance ?? '',
      row.used ? 'yes' : 'no',
      row.weight,
      row.reason,
      row.agreement,
      row.outlierScore ?? '',
      row.model,
      row.round,
      near(row.neighbours.labelled),
      near(row.neighbours.machine),
      row.later
        .map(({ round, label, used, what }) => `${round}: ${what}, ${label}, ${used ? '' : 'not '}used`)
        .join('; '),
    ])}\n`;
}

function* jsonLines(rows: Iterable<Evidence>): Generator<string> {
  for (const row of rows) yield `${JSON.stringify(row)}\n`;
}

function rounded(value: number): number {
  return Math.round(value * 1e4) / 1e4;
}
