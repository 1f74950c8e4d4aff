import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AbortedError, InputError, RunError } from '../../core/errors.ts';
import type { Conflict } from '../../datasets/dataset.ts';
import { decisions } from '../../evaluate/predictions.ts';
import { fitTemperature } from '../../evaluate/temperature.ts';
import { findLabelIssues, type LabelIssues } from '../../labelling/label-issues.ts';
import { neighbourOpinion } from '../../labelling/neighbour-opinion.ts';
import type { Engine } from '../../runtime/engine.ts';
import { RunFolder } from '../../train/run-folder.ts';
import { backboneFeatures } from '../probe/backbone-features.ts';
import { inWorkshop, withEngine } from '../workshop/in-workshop.ts';
import { openNetwork } from '../networks/open-network.ts';
import { outOfFoldProbabilities } from '../probe/out-of-fold.ts';
import { readData, type LabelledSample, type ReadData, type TrainingData } from '../prepare-data.ts';
import { Stages } from '../stages.ts';
import type { TrainControl } from '../train-control.ts';
import { resolveTrainOptions, type ResolvedTrainOptions, type TrainOptions } from '../train-options.ts';

/** Options of `train` that say how data and a network are read, and how long one is trained from scratch. */
export type CheckLabelsOptions = Omit<TrainOptions, 'method' | 'out' | 'val' | 'useVal'> & {
  /** Which labels are judged. Default `train`: what a test part holds stays unseen. */
  readonly split?: 'train' | 'all';
};

export interface SuspectLabel {
  /** Relative to the data. */
  readonly file: string;
  readonly split: string;
  readonly label: string;
  /** The class that it probably is. */
  readonly probable: string;
  /** How far the label is believed, 0..1, and how far the probable class. */
  readonly believed: number;
  readonly probability: number;
  /** What labels are ranked by, 0..1. */
  readonly quality: number;
  /** Whether it is counted as wrong. */
  readonly suspected: boolean;
}

export interface LabelCheck {
  readonly type: 'result';
  readonly root: string;
  readonly classes: readonly string[];
  /** Labels judged. */
  readonly images: number;
  readonly suspected: number;
  /** Estimated share of wrong labels, 0..1. */
  readonly noise: number;
  /** [K][K] estimated shares of all images: given label by true class. */
  readonly joint: readonly (readonly number[])[];
  /** All labels that were judged, the least believed first. */
  readonly labels: readonly SuspectLabel[];
  /** One image under several labels; judged are none of these. */
  readonly conflicts: readonly Conflict[];
}

/** Probes are cheap: their folds are dealt several times, so that no image's rank hangs on one split. */
const REPEATS = 3;
const FOLDS = 5;

/**
 * Finds labels that are probably wrong, by what models say that did not learn from the image: probes on a backbone's features, or
 * without one a small network trained from scratch on each fold.
 * @throws InputError for bad options or data, and where no class has two images; AbortedError
 * @example
 * const { labels } = await checkLabels({ data: 'photos', backbone: 'mobilenet_v2.onnx' });
 * for (const { file, label, probable } of labels.filter(({ suspected }) => suspected)) console.log(file, label, probable);
 */
export async function checkLabels(given: CheckLabelsOptions, control: TrainControl = {}): Promise<LabelCheck> {
  const { split = 'train', ...rest } = given;
  const options = resolveTrainOptions(rest, 'options of checkLabels', ['split']);
  if (options.folds === 0) throw new InputError('Labels are judged out of fold: "folds" must be 2 or more, got 0.');
  for (const name of ['model', 'epochs'] as const)
    if (options.backbone !== undefined && options[name] !== undefined)
      throw new InputError(`"${name}" has no effect with a backbone: its features judge, and no network is trained.`);
  const read = await readData(options, control);
  const { dataset } = read;
  const samples = dataset.samples.filter(
    (sample): sample is LabelledSample => sample.label !== undefined && (split === 'all' || sample.split === split),
  );
  const { classes } = dataset;
  if (new Set(samples.map(({ label }) => label)).size < 2)
    throw new InputError(`Labels are judged against each other: ${options.data} needs labelled images of two classes.`);
  const issues = await withEngine(options, control, undefined, (engine) =>
    options.backbone === undefined
      ? judgedFromScratch(engine, options, read, samples, control)
      : judgedByFeatures(engine, options.backbone, options, read, samples, control),
  );
  return {
    type: 'result',
    root: dataset.root,
    classes,
    images: samples.length,
    suspected: issues.suspected,
    noise: issues.noise,
    joint: issues.joint,
    labels: issues.ranking.map(({ index, label, probable, ...judged }) => ({
      file: samples[index]!.id,
      split: samples[index]!.split,
      label: classes[label]!,
      probable: classes[probable]!,
      ...judged,
    })),
    conflicts: dataset.conflicts,
  };
}

async function judgedByFeatures(
  engine: Engine,
  backbone: string,
  options: ResolvedTrainOptions,
  { dataset: { classes }, duplicates }: ReadData,
  samples: readonly LabelledSample[],
  control: TrainControl,
): Promise<LabelIssues> {
  const { seed, folds = FOLDS } = options;
  const { signal } = control;
  const features = await backboneFeatures(engine, backbone, samples, options, control);
  const how = { folds, repeats: REPEATS, seed, signal };
  const probabilities = await outOfFoldProbabilities(engine, features, samples, { classes, duplicates }, how);
  if (probabilities === undefined) throw tooFew(options);
  const labels = samples.map(({ label }) => label);
  const groups = groupNumbers(samples, duplicates.groups);
  const embeddings = features.data as Float32Array;
  const neighbours = await neighbourOpinion(embeddings, labels, classes.length, groups, signal);
  return findLabelIssues({ classes, labels, probabilities, neighbours });
}

/** Images that stay together have one number. */
function groupNumbers(samples: readonly LabelledSample[], groups: readonly (readonly string[])[]): number[] {
  const numbers = new Map(groups.flatMap((group, at) => group.map((id) => [id, samples.length + at] as const)));
  return samples.map(({ id }, i) => numbers.get(id) ?? i);
}

/** As a run by cross-validation, of which only what the folds' networks say is kept. */
async function judgedFromScratch(
  engine: Engine,
  options: ResolvedTrainOptions,
  read: ReadData,
  samples: readonly LabelledSample[],
  control: TrainControl,
): Promise<LabelIssues> {
  const data: TrainingData = {
    ...read,
    classes: read.dataset.classes,
    train: samples,
    validation: [],
    score: samples,
    scoredOn: 'cross-validation',
    crossValidated: true,
    unlabeled: [],
  };
  const folder = await mkdtemp(join(tmpdir(), 'gleaner-labels-'));
  try {
    const opened = await openNetwork(options, 'scratch', data, control);
    const run = await RunFolder.create(folder, { dataFingerprint: read.dataset.fingerprint });
    const job = { options, data, control, acceptEngine: false };
    const { calibration } = await inWorkshop(run, engine, opened, job, { command: 'data labels' }, (workshop) =>
      opened.train(workshop, new Stages(run, control)),
    );
    if (calibration === undefined) throw tooFew(options);
    const { temperature } = fitTemperature(calibration);
    const probabilities = Float64Array.from(
      decisions(calibration, temperature).flatMap((row) => [...row.probabilities]),
    );
    return findLabelIssues({ classes: data.classes, labels: samples.map(({ label }) => label), probabilities });
  } catch (error) {
    // What a run says of how to go on with it: this one is gone.
    const isOfRun = error instanceof AbortedError || error instanceof RunError;
    throw isOfRun && error.cause instanceof Error ? error.cause : error;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function tooFew({ data }: ResolvedTrainOptions): InputError {
  return new InputError(
    `A label is judged by models that did not see the image: ${data} needs a class of two images that are no copies of each other.`,
  );
}
