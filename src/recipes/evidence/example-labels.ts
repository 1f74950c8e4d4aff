import { basename, join } from 'node:path';
import type { Sample } from '../../datasets/dataset.ts';
import type { MachineLabelExample, MachineLabelsSummary } from '../../report/run-summary.ts';
import { EVIDENCE_FOLDER, type Evidence } from './evidence.ts';
import { pictureOf } from './picture-of.ts';
import { evidenceFiles, readEvidence } from './read-evidence.ts';

/** Of each kind, in the report. */
const EXAMPLES = 8;

/** Labels of a run's last round that are worth a look, with pictures; undefined where no machine labelled. */
export async function exampleLabels(
  run: string,
  unlabeled: readonly Sample[],
): Promise<MachineLabelsSummary | undefined> {
  const files = await evidenceFiles(run);
  const last = files.at(-1);
  if (last === undefined) return undefined;
  const sureness = ({ chance, probability }: Evidence): number => chance ?? probability;
  const doubtful = new Best((row) => -sureness(row));
  const wasted = new Best(sureness);
  const strange = new Best(({ outlierScore }) => outlierScore!);
  const changed = new Best(sureness);
  const before = new Map<string, string>();
  // A label that changed on the way to the last round says what it was before.
  if (files.length > 1)
    for await (const row of readEvidence(files.at(-2)!))
      if (row.later[0]?.what === 'label changed') before.set(row.file, row.label);
  let [images, used, setAside] = [0, 0, 0];
  for await (const row of readEvidence(last)) {
    images++;
    const isSetAside = row.reason.startsWith('looks like none');
    if (isSetAside) strange.offer(row);
    else if (row.used) doubtful.offer(row);
    else wasted.offer(row);
    if (before.has(row.file)) changed.offer(row);
    if (row.used) used++;
    if (isSetAside) setAside++;
  }
  const fileOf = new Map(unlabeled.map(({ id, file }) => [id, file]));
  const shown = ({ rows }: Best): Promise<MachineLabelExample[]> =>
    Promise.all(
      rows.map(async (row) => ({
        file: row.file,
        label: row.label,
        probability: row.probability,
        ...(row.chance !== null && { chance: row.chance }),
        ...(before.has(row.file) && { before: before.get(row.file)! }),
        picture: await pictureOf(fileOf.get(row.file) ?? row.file),
      })),
    );
  return {
    round: basename(last, '.jsonl'),
    images,
    used,
    setAside,
    file: join(EVIDENCE_FOLDER, basename(last, 'jsonl') + 'csv'),
    examples: [
      { title: 'Least sure of those used', labels: await shown(doubtful) },
      { title: 'Surest of those not used', labels: await shown(wasted) },
      { title: 'Like none of the classes', labels: await shown(strange) },
      { title: 'Labelled otherwise in the round before', labels: await shown(changed) },
    ],
  };
}

/** The few rows of the highest score. */
class Best {
  readonly rows: Evidence[] = [];
  readonly #score: (row: Evidence) => number;

  constructor(score: (row: Evidence) => number) {
    this.#score = score;
  }

  offer(row: Evidence): void {
    const at = this.rows.findIndex((other) => this.#score(row) > this.#score(other));
    if (at < 0 && this.rows.length === EXAMPLES) return;
    this.rows.splice(at < 0 ? this.rows.length : at, 0, row);
    if (this.rows.length > EXAMPLES) this.rows.pop();
  }
}
