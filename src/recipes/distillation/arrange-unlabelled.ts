import { InputError, suggestion } from '../../core/errors.ts';
import { counted, type Sample } from '../../datasets/dataset.ts';
import { holdOut } from '../../datasets/split.ts';
import type { LabelledSample, ReadData, TrainingData } from '../prepare-data.ts';

/** Of the images, held out to compare student and teacher on. */
const HELD = 0.1;

/** Data that a teacher labels. */
export interface TaughtData extends TrainingData {
  /** Images that student and teacher are compared on: nothing was trained on them, nor on a copy of one. */
  readonly compared: readonly Sample[];
  readonly comparedOn: string;
}

/** The data as it is where no label may be used: labels of train and val are gone, and val's images with them. */
export function withoutLabels(read: ReadData): ReadData {
  const samples = read.dataset.samples.flatMap((sample): Sample[] => {
    const { label: _, ...rest } = sample;
    return sample.split === 'train' ? [{ ...rest, split: 'unlabeled' }] : sample.split === 'val' ? [] : [sample];
  });
  const unlabeledCount = samples.filter(({ split }) => split === 'unlabeled').length;
  return { ...read, dataset: { ...read.dataset, samples }, unlabeledCount };
}

/**
 * Decides what is trained and compared on where no image of train has a label: the classes are given, a seeded tenth is held
 * out, copies kept together, and labelled images of test are scored on.
 * @param classes of the student
 * @throws InputError for fewer than two images, or a class of test that is none of these
 */
export function arrangeUnlabelled(read: ReadData, classes: readonly string[], seed: number): TaughtData {
  const { dataset, duplicates } = read;
  const unlabeled = dataset.samples.filter(({ split }) => split === 'unlabeled');
  if (unlabeled.length < 2)
    throw new InputError(
      `A student learns from images: ${dataset.root} has ${counted(unlabeled.length, 'image')} that may be trained on, at least 2 are needed.`,
    );
  const tested = dataset.samples.filter(({ split }) => split === 'test');
  const unknown = [...new Set(tested.map(({ label }) => dataset.classes[label!]!))].filter(
    (name) => !classes.includes(name),
  );
  if (unknown.length > 0)
    throw new InputError(
      `The student's classes are the teacher's, and the test images show others: ${unknown.map((name) => `"${name}"${suggestion(name, classes)}`).join(', ')}. Give a table of classes with --map.`,
    );
  const score = tested.map((sample): LabelledSample => ({
    ...sample,
    label: classes.indexOf(dataset.classes[sample.label!]!),
  }));
  const { held, rest } = holdOutUnlabelled(unlabeled, duplicates.groups, seed);
  if (held.length === 0)
    throw new InputError(
      `All ${counted(unlabeled.length, 'image')} of ${dataset.root} are copies of each other: there is nothing to compare student and teacher on.`,
    );
  return {
    ...read,
    dataset: { ...dataset, classes, samples: [...unlabeled, ...score] },
    classes,
    train: [],
    validation: [],
    score,
    scoredOn: 'test',
    crossValidated: false,
    unlabeled: rest,
    compared: held,
    comparedOn: `${counted(held.length, 'image')} that the student was not trained on`,
  };
}

/** Sets aside a seeded tenth, one image at least; copies stay together. */
export function holdOutUnlabelled(
  samples: readonly Sample[],
  groups: readonly (readonly string[])[],
  seed: number,
): { readonly held: readonly Sample[]; readonly rest: readonly Sample[] } {
  // One class for all: there are no others to keep the balance of.
  const asLabelled = samples.map((sample) => ({ ...sample, label: 0 }));
  const { held } = holdOut(asLabelled, groups, Math.max(HELD, 1 / samples.length), seed);
  const ids = new Set(held.map(({ id }) => id));
  return { held: samples.filter(({ id }) => ids.has(id)), rest: samples.filter(({ id }) => !ids.has(id)) };
}

/** Labelled data, as it is arranged for any method. */
export function comparedOnScore(data: TrainingData): TaughtData {
  const comparedOn = data.crossValidated
    ? `${counted(data.score.length, 'labelled image')} that the student was trained on`
    : `${counted(data.score.length, 'image')} of ${data.scoredOn}`;
  return { ...data, compared: data.score, comparedOn };
}
