import { InputError } from '../core/errors.ts';
import { timed, type Track } from '../core/profile.ts';
import { countInSplit, type Dataset, type Sample } from '../datasets/dataset.ts';
import { describeDataset } from '../datasets/describe.ts';
import { findDuplicates, type Duplicates } from '../datasets/duplicates.ts';
import { protocolOf, withoutCopies } from '../datasets/protocol.ts';
import { readDataset, type ReadDatasetOptions } from '../datasets/read.ts';
import { resolveDuplicates, type Leak } from '../datasets/resolve-duplicates.ts';
import { folds, holdOut, mostInAClass } from '../datasets/split.ts';
import type { TrainControl } from './train-control.ts';
import type { ResolvedTrainOptions } from './train-options.ts';

export type LabelledSample = Sample & { readonly label: number };

/** Which images serve what, by the leak-safe protocol. No image, and no copy of one, is in two parts. */
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
  /** Whether `score` is `train`, each image to be predicted by a network that did not see it. */
  readonly crossValidated: boolean;
  readonly duplicates: Duplicates;
  readonly leaks: readonly Leak[];
  /** Images without a label that training may use: no copy of one that is scored on or chosen by. Empty where the method uses none. */
  readonly unlabeled: readonly Sample[];
  /** How many there are, used or not. */
  readonly unlabeledCount: number;
}

/** Above this many labelled images, a tenth of them as validation costs little accuracy; below, folds are used. */
const ENOUGH_FOR_VALIDATION = 500;

const SCORED_ON = {
  test: 'test',
  val: 'val',
  holdout: 'a fifth of the labelled images that nothing else saw',
  'cross-validation': 'cross-validation',
} as const;

export interface PrepareDataOptions {
  /** Whether images without a label are used. Default false: then they are not compared with others either. */
  readonly useUnlabeled?: boolean;
  /** Whether data without any label will do. Default false. */
  readonly labelsOptional?: boolean;
  /** Measures it. */
  readonly track?: Track | undefined;
}

/**
 * Reads the data, finds copies, and decides what is trained and scored on.
 * @throws InputError where there are fewer than two classes, or no image to train or score on.
 */
export async function prepareData(
  options: ResolvedTrainOptions,
  control: TrainControl,
  how: PrepareDataOptions = {},
): Promise<TrainingData> {
  return arrangeData(await readData(options, control, how), options, control);
}

/** What was read, and which images are copies of which. */
export type ReadData = Pick<TrainingData, 'dataset' | 'duplicates' | 'leaks' | 'unlabeledCount'>;

/** @throws InputError as `readDataset` */
export async function readData(
  options: ResolvedTrainOptions,
  { signal, onProgress }: TrainControl,
  { useUnlabeled = false, labelsOptional = false, track }: PrepareDataOptions = {},
): Promise<ReadData> {
  const maxPixels = options.maxPixels * 1e6;
  const cancel = signal === undefined ? {} : { signal };
  const reading: ReadDatasetOptions = {
    layout: options.dataLayout,
    followLinks: options.followLinks,
    maxPixels,
    seed: options.seed,
    labelsOptional,
    ...(options.labelsList !== undefined && { labelsList: options.labelsList }),
    labelFiles: options.labelFiles,
    ...(options.labelsPerClass !== undefined && { labelsPerClass: options.labelsPerClass }),
    ...(options.group !== undefined && { group: options.group }),
    ...cancel,
  };
  const read = await timed(track, 'read the data', () => readDataset(options.data, reading));
  onProgress?.({ type: 'note', message: describeDataset(read) });
  const unlabeledCount = countInSplit(read, 'unlabeled');
  if (unlabeledCount > 0 && !useUnlabeled)
    onProgress?.({ type: 'note', message: 'Unlabelled images are not used by this method.' });
  // What is not used needs no comparison: of the images of a large folder, most are unlabelled.
  const used = { ...read, samples: read.samples.filter(({ split }) => useUnlabeled || split !== 'unlabeled') };
  // Copies within a part that is only scored on, or without labels, change nothing.
  const matters = (a: Sample, b: Sample): boolean => a.split === 'train' || a.split !== b.split;
  const looking = (): Promise<Duplicates> => findDuplicates(used.samples, { maxPixels, matters, ...cancel });
  const duplicates = await timed(track, 'find copies', looking, used.samples.length);
  const { dataset, leaks } = resolveDuplicates(used, duplicates, { dropLeaks: options.dropLeaks });
  const { copies } = duplicates;
  if (copies.length > 0)
    onProgress?.({
      type: 'note',
      message: `${copies.length} groups of copies or near copies: each stays on one side of a split.`,
    });
  const dropped = leaks.filter((leak) => leak.dropped !== undefined).length;
  const kin = options.group === undefined ? '' : ', or images of one group with such,';
  if (dropped > 0)
    onProgress?.({ type: 'note', message: `${dropped} copies of images of val or test${kin} were left out.` });
  if (leaks.length > dropped)
    onProgress?.({
      type: 'warning',
      message: `${leaks.length - dropped} images${kin && ' or their groups'} lie in two ready-made parts, so the score is too good; --drop-leaks leaves out those in train.`,
    });
  return { dataset, duplicates, leaks, unlabeledCount };
}

/**
 * Decides what is trained and scored on.
 * @throws InputError where there are fewer than two classes, or no image to train or score on.
 */
export function arrangeData(
  read: ReadData,
  options: ResolvedTrainOptions,
  { onProgress }: Pick<TrainControl, 'onProgress'>,
): TrainingData {
  const { dataset } = read;
  const { groups } = read.duplicates;
  const protocol = protocolOf(dataset, groups, { seed: options.seed, crossValidate: options.val === undefined });
  for (const message of protocol.warnings) onProgress?.({ type: 'warning', message });
  const crossValidated = protocol.scoreSource === 'cross-validation';
  if (crossValidated && options.folds === 0)
    throw new InputError(
      `${options.data} has no test images and too few to hold any out: its score comes from folds, so there must be some.`,
    );
  if (crossValidated)
    onProgress?.({
      type: 'note',
      message: `Few labelled images and no test images: the score comes from cross-validation, and the model learns from all ${protocol.train.length}.`,
    });
  let train = withLabels(protocol.train);
  let validation = withLabels(protocol.val);
  if (options.useVal && protocol.scoreSource === 'test')
    validation = withLabels(dataset.samples.filter(({ split }) => split === 'val'));
  const isLarge = train.length > ENOUGH_FOR_VALIDATION && !dataset.limitedLabels;
  if (validation.length === 0 && options.val !== 0 && (options.val !== undefined || isLarge)) {
    const { held, rest } = holdOut(train, groups, options.val ?? 0.1, options.seed + 1);
    [train, validation] = [withLabels(rest), withLabels(held)];
    if (options.val === undefined)
      onProgress?.({
        type: 'note',
        message: `${validation.length} labelled images (a tenth) are held out to choose among epochs and to calibrate; --val sets the share.`,
      });
  }
  if (train.length === 0) throw new InputError(`${options.data} has no labelled image to train on.`);
  return {
    ...read,
    classes: dataset.classes,
    train,
    validation,
    score: withLabels(protocol.score),
    scoredOn: SCORED_ON[protocol.scoreSource],
    crossValidated,
    unlabeled: withoutCopies(protocol.unlabeled, validation, groups),
  };
}

/** How many images a method sees without a label, if it learns from such: labelled ones are among them. */
export function unlabeledImages({ train, unlabeled }: Pick<TrainingData, 'train' | 'unlabeled'>): number {
  return train.length + unlabeled.length;
}

/** Images of one fold, and all others. */
export interface Fold {
  readonly train: readonly LabelledSample[];
  readonly held: readonly LabelledSample[];
}

/**
 * Folds of labelled images, copies kept together: as many as wanted, fewer where no class has so many images that
 * are no copies of each other, none where no class has two.
 */
export function foldsOf(
  samples: readonly LabelledSample[],
  { duplicates: { groups } }: Pick<TrainingData, 'duplicates'>,
  wanted: number,
  seed: number,
): Fold[] {
  const count = Math.min(wanted, mostInAClass(samples, groups));
  if (count < 2) return [];
  return folds(samples, groups, count, seed).map((members) => {
    const inside = new Set(members);
    return { train: samples.filter((sample) => !inside.has(sample)), held: withLabels(members) };
  });
}

function withLabels(samples: readonly Sample[]): LabelledSample[] {
  return samples.filter((sample): sample is LabelledSample => sample.label !== undefined);
}
