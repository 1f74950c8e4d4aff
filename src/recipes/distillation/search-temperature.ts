import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from '../../core/errors.ts';
import { withoutCopies } from '../../datasets/protocol.ts';
import type { Sample } from '../../datasets/dataset.ts';
import { evaluatePredictions } from '../../evaluate/evaluation.ts';
import { readEvents } from '../../train/events.ts';
import type { RunFolder } from '../../train/run-folder.ts';
import { holdOutUnlabelled, type TaughtData } from './arrange-unlabelled.ts';
import { compareWithTeacher } from './compare-with-teacher.ts';
import { fit } from '../training/fit.ts';
import { predictionsOf } from '../results/held-out-predictions.ts';
import type { Lesson } from './lesson.ts';
import type { Network } from '../networks/network.ts';
import { foldsOf, type LabelledSample } from '../prepare-data.ts';
import type { ResolvedTrainOptions } from '../train-options.ts';
import { planTraining } from '../training/training-plan.ts';
import type { Workshop } from '../workshop/workshop.ts';

const TEMPERATURES = [1, 2, 4, 8] as const;
const ALPHAS = [0.5, 0.9] as const;
/** Of the labelled images. */
const FOLDS = 2;
/** Of the epochs of the training that follows. */
const EPOCHS_SHARE = 1 / 5;

interface SearchRequest {
  readonly lesson: Lesson;
  readonly data: TaughtData;
  readonly options: ResolvedTrainOptions;
  readonly method: 'finetune' | 'scratch';
  readonly start: (samples: readonly LabelledSample[], folder: string) => Promise<Network>;
  readonly folder: string;
}

/** A part of the training images, and those that the student is judged on. */
interface Part {
  readonly train: readonly LabelledSample[];
  readonly unlabeled: readonly Sample[];
  readonly held: readonly Sample[];
}

export interface FoundTemperature {
  readonly temperature: number;
  readonly alpha: number;
  /** What was found, to be printed. */
  readonly line: string;
}

/**
 * Tries temperatures, and what the teacher counts for beside labels, each by a short training on every fold of the labelled
 * images; the most accurate on what was held out is taken. Without labels the temperature alone is tried, and the student is
 * judged by how often it agrees with the teacher on a tenth held out. Trials that an interrupted run had done are not done again.
 * @throws InputError where labelled images are too few to hold any out
 */
export async function searchTemperature(
  run: RunFolder,
  workshop: Workshop,
  request: SearchRequest,
): Promise<FoundTemperature> {
  const { lesson, data, options } = request;
  const parts = partsOf(data, options.seed);
  const isLabelled = data.train.length > 0;
  const grid = TEMPERATURES.flatMap((temperature) =>
    (isLabelled ? ALPHAS : [lesson.alpha]).map((alpha) => ({ temperature, alpha })),
  );
  const done = new Map(
    (await readEvents(run.file('events.jsonl')))
      .filter(({ type }) => type === 'temperature-trial')
      .map(({ trial, score }) => [String(trial), score as number]),
  );
  const scores: number[] = [];
  for (const setting of grid) {
    let sum = 0;
    for (const [i, part] of parts.entries()) {
      const trial = `t${setting.temperature}-a${setting.alpha}-${i + 1}`.replaceAll('.', '-');
      const score = done.get(trial) ?? (await tried(workshop, request, part, setting, trial));
      if (!done.has(trial)) workshop.record({ type: 'temperature-trial', trial, ...setting, score });
      sum += score;
      const count = grid.length * parts.length;
      const at = scores.length * parts.length + i + 1;
      workshop.onProgress?.({ type: 'step', stage: 'search', done: at, total: count, unit: 'trials' });
    }
    scores.push(sum / parts.length);
  }
  const best = scores.indexOf(Math.max(...scores));
  const found = grid[best]!;
  const list = grid.map(({ temperature, alpha }, i) => {
    return `T ${temperature}${isLabelled ? `, alpha ${alpha}` : ''}: ${(100 * scores[i]!).toFixed(1)} %`;
  });
  const line =
    `Found on held-out images: T ${found.temperature}${isLabelled ? `, alpha ${found.alpha}` : ''} ` +
    `(${isLabelled ? 'accuracy' : 'agreement with the teacher'} after a short training: ${list.join('; ')}).`;
  workshop.record({ type: 'temperature-found', ...found, grid, scores });
  workshop.onProgress?.({ type: 'note', message: line });
  return { ...found, line };
}

function partsOf(data: TaughtData, seed: number): Part[] {
  const { groups } = data.duplicates;
  if (data.train.length > 0) {
    const dealt = foldsOf(data.train, data, FOLDS, seed);
    if (dealt.length === 0)
      throw new InputError('A temperature is searched on held-out labelled images: two of a class are the least.');
    return dealt.map(({ train, held }) => ({ train, held, unlabeled: withoutCopies(data.unlabeled, held, groups) }));
  }
  const { held, rest } = holdOutUnlabelled(data.unlabeled, groups, seed + 1);
  return [{ train: data.train, held, unlabeled: rest }];
}

/** Accuracy on the part's held-out images, or agreement with the teacher; of equals the likelier student is better. */
async function tried(
  workshop: Workshop,
  { lesson, data, options, method, start, folder }: SearchRequest,
  { train, unlabeled, held }: Part,
  setting: { readonly temperature: number; readonly alpha: number },
  trial: string,
): Promise<number> {
  const place = join(folder, trial);
  await mkdir(place, { recursive: true });
  const plan = planTraining(options, method, train.length + unlabeled.length);
  // Of many short trainings, that they were done is told alone.
  const { network } = await fit(
    { ...workshop, onProgress: undefined },
    {
      network: await start(train, place),
      plan: {
        ...plan,
        epochs: Math.max(1, Math.round(plan.epochs * EPOCHS_SHARE)),
        warmupEpochs: plan.warmupEpochs * EPOCHS_SHARE,
      },
      options,
      train,
      unlabeled,
      teaching: lesson.teaching(setting),
      validation: [],
      classes: data.classes,
      stage: `search-${trial}`,
      passes: 'search',
      checkpoints: join(place, 'checkpoints'),
    },
  );
  const between = (share: number, divergence: number): number => share - 1e-4 * Math.min(divergence, 100);
  if (train.length === 0) {
    const { agreement, kl } = (await compareWithTeacher(workshop, lesson, network, held, options.maxPixels * 1e6))!;
    return between(agreement, kl);
  }
  const { accuracy, nll } = evaluatePredictions(
    await predictionsOf(workshop, network, data, held as readonly LabelledSample[], 'fold'),
  );
  return between(accuracy, nll);
}
