import { existsSync, statSync } from 'node:fs';
import { basename, dirname, relative, resolve, sep } from 'node:path';
import { InputError, suggestion } from '../../core/errors.ts';
import { shownName } from '../../datasets/dataset.ts';
import { readConfig } from '../../train/run-folder.ts';
import { prepareData } from '../prepare-data.ts';
import { resolveTrainOptions, type ResolvedTrainOptions } from '../train-options.ts';
import type { TrainControl } from '../train-control.ts';
import type { Evidence, Neighbour } from './evidence.ts';
import { evidenceFiles, readEvidence } from './read-evidence.ts';

/** Why an image has its label, or none. */
export interface Why {
  readonly run: string;
  /** As the data names it. */
  readonly file: string;
  /** The folder that names are relative to. */
  readonly root: string;
  /** What the image is to the run. */
  readonly role: 'machine-labelled' | 'labelled' | 'held out' | 'left out';
  /** Round by round; empty unless a machine labelled it. */
  readonly rounds: readonly Evidence[];
  /** In words. */
  readonly sentences: readonly string[];
}

/**
 * Why a run gave an image its label: who said it, how sure, which images are most alike, whether it was used, and what became of
 * it. Of an image that no machine labelled, what it is to the run instead.
 * @param run folder of a run @param file an image of its data: the name that the data has for it, a path, or a name that only
 *   one image has
 * @throws InputError where there is no such run or image; FormatError where the evidence is damaged
 * @example
 * const { sentences } = await why('runs/003', 'unlabeled/17.jpg');
 */
export async function why(run: string, file: string, control: TrainControl = {}): Promise<Why> {
  const config = await readConfig(run);
  const options = resolveTrainOptions(config['options'], `config.json of ${run}`);
  const files = await evidenceFiles(run);
  const seen: string[] = [];
  for (const path of files.slice(0, 1)) for await (const row of readEvidence(path)) seen.push(row.file);
  const id = nameOf(file, rootOf(options.data), seen);
  if (id === undefined) return otherImage(run, file, options, seen, control);
  const rounds: Evidence[] = [];
  for (const path of files)
    for await (const row of readEvidence(path))
      if (row.file === id) {
        rounds.push(row);
        break;
      }
  const last = rounds.at(-1)!;
  const sentences = [describe(last), ...rounds.map(ofRound), ...alike(last)].map(shownName);
  return { run, file: id, root: rootOf(options.data), role: 'machine-labelled', rounds, sentences };
}

/** The folder that names are relative to: of a manifest, the one that it lies in. */
function rootOf(data: string): string {
  return existsSync(data) && statSync(data).isFile() ? dirname(data) : data;
}

/** The name among `known` that is meant, if there is one. @throws InputError where several are */
function nameOf(file: string, root: string, known: readonly string[]): string | undefined {
  const inside = relative(root, resolve(file)).split(sep).join('/');
  const exact = [file, inside].find((name) => known.includes(name));
  if (exact !== undefined) return exact;
  const same = known.filter((name) => name.endsWith(`/${file}`) || basename(name) === file);
  if (same.length > 1)
    throw new InputError(
      `"${file}" names ${same.length} images: ${same.slice(0, 3).join(', ')}${same.length > 3 ? ', ...' : ''}. Say which.`,
    );
  return same[0];
}

/** An image that no machine labelled, if the data has it. */
async function otherImage(
  run: string,
  file: string,
  options: ResolvedTrainOptions,
  seen: readonly string[],
  { signal }: TrainControl,
): Promise<Why> {
  if (!existsSync(options.data))
    throw new InputError(
      `"${file}" has no machine label in ${run}${suggestion(file, seen)}, and its data ${options.data} is not there any more.`,
    );
  const data = await prepareData(options, signal ? { signal } : {}, { useUnlabeled: true, labelsOptional: true });
  const { samples, quarantined } = data.dataset;
  const names = [...samples.map(({ id }) => id), ...quarantined.map((one) => one.file)];
  const id = nameOf(file, rootOf(options.data), names);
  if (id === undefined)
    throw new InputError(
      `${options.data} has no image "${file}"${suggestion(file, names)}: expected its path, or the name that the data has for it.`,
    );
  const isIn = (part: readonly { readonly id: string }[]): boolean => part.some((sample) => sample.id === id);
  const label = samples.find((sample) => sample.id === id)?.label;
  const named = label === undefined ? '' : ` A person labelled it ${data.classes[label]}.`;
  const of = (role: Why['role'], sentence: string): Why => ({
    run,
    file: id,
    root: rootOf(options.data),
    role,
    rounds: [],
    sentences: [shownName(sentence)],
  });
  if (isIn(data.train)) return of('labelled', `${id} has no machine label.${named} The run learns from it.`);
  if (isIn(data.validation))
    return of(
      'held out',
      `${id} has no machine label.${named} It is held out: what is trained is chosen and calibrated by it.`,
    );
  if (isIn(data.score))
    return of(
      'held out',
      `${id} has no machine label.${named} It is held out: the run is scored on it, and learns nothing from it.`,
    );
  const reason = quarantined.find((one) => one.file === id)?.reason;
  if (reason !== undefined) return of('left out', `${id} is left out: ${reason}.`);
  return of(
    'left out',
    isIn(data.unlabeled)
      ? `${id} has no label, and this run labelled no image.`
      : `${id} is left out.${named} It is a copy of another image, or of a part that this run does not use.`,
  );
}

function describe({ file, label, probability, chance, model, round }: Evidence): string {
  const sure =
    chance === null
      ? 'nothing was held out that would tell how often such a label is right'
      : `such a label is right in about ${percent(chance)} of cases, by images that were held out`;
  return `${file} is labelled ${label} by ${model} (${round}), with a probability of ${percent(probability)}; ${sure}.`;
}

function ofRound({ round, label, probability, chance, agreement, used, weight, reason, later }: Evidence): string {
  const views = agreement === 1 ? '' : ` ${percent(agreement)} of the views agree.`;
  const worth = chance === null ? '' : `, chance ${percent(chance)}`;
  const next = later[0] === undefined ? '' : ` In ${later[0].round}: ${later[0].what}.`;
  const use = used ? (weight === 1 ? 'used' : `used with the weight ${weight}`) : 'not used';
  return `${round}: ${label}, probability ${percent(probability)}${worth}; ${use} (${reason}).${views}${next}`;
}

function alike({ label, neighbours: { labelled, machine } }: Evidence): string[] {
  const list = (all: readonly Neighbour[]): string =>
    all.map(({ file, label: own, similarity }) => `${file} (${own}, ${similarity.toFixed(2)})`).join(', ');
  if (labelled.length === 0) return [];
  const same = labelled.filter((one) => one.label === label).length;
  return [
    `Labelled images that are most like it (${same} of ${labelled.length} ${label}): ${list(labelled)}.`,
    ...(machine.length > 0 ? [`Machine-labelled images that are most like it: ${list(machine)}.`] : []),
  ];
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
