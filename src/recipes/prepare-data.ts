import { InputError } from '../core/errors.ts';
import { randomStream, shuffled } from '../core/random.ts';
import type { Dataset, Sample } from '../datasets/dataset.ts';
import { readDataset } from '../datasets/read.ts';
import { describeDataset } from '../datasets/describe.ts';
import type { ResolvedTrainOptions } from './train-options.ts';
import type { TrainControl } from './train-control.ts';

export type LabelledSample = Sample & { readonly label: number };

/** Which images serve what, by the leak-safe protocol. No image is in two parts. */
export interface TrainingData {
  readonly dataset: Dataset;
  readonly classes: readonly string[];
  readonly train: readonly LabelledSample[];
  /** Chooses among epochs and calibrates; may be empty. */
  readonly validation: readonly LabelledSample[];
  /** Seen once, at the end. */
  readonly score: readonly LabelledSample[];
  /** `test`, `val`, or in words. */
  readonly scoredOn: string;
}

/** Above this many labelled images, a tenth of them as validation costs little accuracy; below, folds are used. */
const ENOUGH_FOR_VALIDATION = 500;

/**
 * Reads the data and decides what is scored on: `test`; without one, `val` where labels are limited (it is then hidden
 * from all else); else a seeded, stratified fifth that nothing else sees.
 * @throws InputError where there are fewer than two classes, or no image to train or score on.
 */
export async function prepareData(options: ResolvedTrainOptions, control: TrainControl): Promise<TrainingData> {
  const dataset = await readDataset(options.data, {
    layout: options.dataLayout,
    followLinks: options.followLinks,
    maxPixels: options.maxPixels * 1e6,
    seed: options.seed,
    ...(options.labelsList !== undefined && { labelsList: options.labelsList }),
    ...(options.labelsPerClass !== undefined && { labelsPerClass: options.labelsPerClass }),
    ...(control.signal && { signal: control.signal }),
  });
  control.onProgress?.({ type: 'note', message: describeDataset(dataset) });
  const { classes } = dataset;
  if (classes.length < 2)
    throw new InputError(
      `A classifier needs at least two classes, ${options.data} has ${classes.length}: ${classes.join(', ')}.`,
    );
  const part = (split: Sample['split']): LabelledSample[] =>
    dataset.samples.filter((sample): sample is LabelledSample => sample.split === split && sample.label !== undefined);
  let train = part('train');
  const [val, test] = [part('val'), part('test')];
  let [score, scoredOn] = [test, 'test'];
  let validation: LabelledSample[] = [];
  if (test.length === 0 && val.length > 0 && dataset.limitedLabels && !options.useVal) [score, scoredOn] = [val, 'val'];
  else if (val.length > 0 && (!dataset.limitedLabels || options.useVal)) validation = val;
  if (score.length === 0) {
    ({ kept: train, held: score } = holdOut(train, 0.2, options.seed, 'score'));
    scoredOn = 'a fifth of the labelled images that nothing else saw';
  }
  if (
    validation.length === 0 &&
    (options.val !== undefined || (train.length > ENOUGH_FOR_VALIDATION && !dataset.limitedLabels))
  ) {
    const share = options.val ?? 0.1;
    ({ kept: train, held: validation } = holdOut(train, share, options.seed, 'validation'));
    if (options.val === undefined)
      control.onProgress?.({
        type: 'note',
        message: `${validation.length} labelled images (a tenth) are held out to choose among epochs and to calibrate; --val sets the share.`,
      });
  }
  if (train.length === 0) throw new InputError(`${options.data} has no labelled image to train on.`);
  if (score.length === 0)
    throw new InputError(
      `${options.data} has ${train.length} labelled images, too few to hold any out for a score. Add a test folder.`,
    );
  const missing = classes.filter((_, label) => !train.some((sample) => sample.label === label));
  if (missing.length > 0)
    control.onProgress?.({
      type: 'warning',
      message: `No training image has the label ${missing.join(', ')}: it can't be learned.`,
    });
  if (dataset.samples.some(({ split }) => split === 'unlabeled'))
    control.onProgress?.({ type: 'note', message: 'Unlabelled images are not used by this method yet.' });
  return { dataset, classes, train, validation, score, scoredOn };
}

/** Takes out a share of each class, at least one image where the class has two. */
function holdOut(
  samples: readonly LabelledSample[],
  share: number,
  seed: number,
  purpose: string,
): { kept: LabelledSample[]; held: LabelledSample[] } {
  const held = new Set<LabelledSample>();
  for (const label of new Set(samples.map((sample) => sample.label))) {
    const members = shuffled(
      samples.filter((sample) => sample.label === label),
      randomStream(seed, purpose, label),
    );
    const count = members.length < 2 || share === 0 ? 0 : Math.max(1, Math.round(members.length * share));
    for (const sample of members.slice(0, count)) held.add(sample);
  }
  return { kept: samples.filter((sample) => !held.has(sample)), held: samples.filter((sample) => held.has(sample)) };
}

/** Folds of labelled images, each class spread evenly; each with what it trains on and what it is scored on. */
export function foldsOf(
  samples: readonly LabelledSample[],
  count: number,
  seed: number,
): { train: LabelledSample[]; held: LabelledSample[] }[] {
  const fold = new Map<LabelledSample, number>();
  let next = 0;
  for (const label of new Set(samples.map((sample) => sample.label)))
    for (const sample of shuffled(
      samples.filter((s) => s.label === label),
      randomStream(seed, 'folds', label),
    ))
      fold.set(sample, next++ % count);
  return Array.from({ length: count }, (_, k) => ({
    train: samples.filter((sample) => fold.get(sample) !== k),
    held: samples.filter((sample) => fold.get(sample) === k),
  }));
}
