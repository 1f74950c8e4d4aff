import { InputError } from '../../core/errors.ts';
import { packageVersion } from '../../core/package-version.ts';
import { counted, shownList } from '../../datasets/dataset.ts';
import type { Engine } from '../../runtime/engine.ts';
import { RunFolder } from '../../train/run-folder.ts';
import { isJudged } from './fold-students.ts';
import { finishRun, type RunResult } from '../results/finish-run.ts';
import { inWorkshop, withEngine } from '../workshop/in-workshop.ts';
import { checkTeachers } from './labeller.ts';
import { newRunFolder } from '../workshop/new-run-folder.ts';
import { parseThreshold } from './parse-threshold.ts';
import { prepareData, type TrainingData } from '../prepare-data.ts';
import type { SelfTrainJob } from './self-train-job.ts';
import {
  optionsFromRun,
  recordedOptions,
  resolveSelfTrainOptions,
  type ResolvedSelfTrainOptions,
  type SelfTrainOptions,
} from './self-train-options.ts';
import { openSelfTrainNetworks } from './self-train-networks.ts';
import { SelfTraining } from './self-training.ts';
import { Stages } from '../stages.ts';
import type { ResumeControl, TrainControl } from '../train-control.ts';
import { workshopFor } from '../workshop/workshop-for.ts';

const METHODS = ['self-train', 'pseudo-label'] as const;
type Command = (typeof METHODS)[number];

/**
 * Trains a classifier on few labelled and many unlabelled images, round by round: a teacher labels, a student learns with
 * noise and becomes the teacher. `pseudo-labels/round-N.csv` in the run's folder holds every label.
 * @throws InputError for bad options or data, no unlabelled image, or a class without a label; AbortedError once what was
 *   trained is saved; RunError for a fault
 * @example
 * const { accuracy, model } = await selfTrain({ data: 'photos', backbone: 'mobilenet_v2.onnx', labelsPerClass: 10 });
 */
export function selfTrain(options: SelfTrainOptions, control: TrainControl = {}): Promise<RunResult> {
  return started(resolveSelfTrainOptions(options), control, 'self-train');
}

/**
 * Trains a classifier on labelled images and on those that a teacher labels, once: `selfTrain` in one round.
 * @throws as `selfTrain`
 * @example
 * const { model } = await pseudoLabel({ data: 'photos', teacher: ['runs/001/model.onnx'], backbone: 'efficientnet.onnx' });
 */
export async function pseudoLabel(
  options: Omit<SelfTrainOptions, 'rounds' | 'final' | 'finalTemperature'>,
  control: TrainControl = {},
): Promise<RunResult> {
  const unfit = ['rounds', 'final', 'finalTemperature'].find((name) => Object.hasOwn(options, name));
  if (unfit !== undefined)
    throw new InputError(`"${unfit}" has no place with pseudo-labels, which are one round: use self-training.`);
  return started(resolveSelfTrainOptions({ ...options, rounds: 1 }), control, 'pseudo-label');
}

/** Continues an interrupted run of either; it ends with the same bytes as one that never was. @throws as `resumeTraining` */
export async function resumeSelfTraining(folder: string, control: ResumeControl = {}): Promise<RunResult> {
  const run = await RunFolder.resume(folder);
  try {
    const command = METHODS.find((name) => name === run.config['method']);
    if (command === undefined)
      throw new InputError(`The run in ${folder} is no self-training: continue it with the command that began it.`);
    const options = optionsFromRun(run.config);
    return await withEngine(options.train, control, undefined, async (engine) => {
      const data = await dataOf(options, control);
      run.checkData(data.dataset.fingerprint, control.acceptDataChange ?? false);
      const networks = await openSelfTrainNetworks(options, data, control);
      return work(run, engine, { options, data, networks, control }, command, control.acceptEngine ?? false);
    });
  } finally {
    await run.close();
  }
}

async function started(options: ResolvedSelfTrainOptions, control: TrainControl, command: Command): Promise<RunResult> {
  return withEngine(options.train, control, undefined, async (engine) => {
    const data = await dataOf(options, control);
    const networks = await openSelfTrainNetworks(options, data, control);
    const run = await RunFolder.create(options.train.out ?? newRunFolder(), {
      dataFingerprint: data.dataset.fingerprint,
      gleaner: packageVersion(),
      method: command,
      ...recordedOptions(options),
    });
    return work(run, engine, { options, data, networks, control }, command, false);
  });
}

/** @throws InputError where there is nothing to label, or what can't be labelled */
async function dataOf(options: ResolvedSelfTrainOptions, control: TrainControl): Promise<TrainingData> {
  const data = await prepareData(options.train, control, { useUnlabeled: true });
  const { classes, train, unlabeled, unlabeledCount } = data;
  if (unlabeled.length === 0)
    throw new InputError(
      unlabeledCount === 0
        ? `${options.train.data} has no unlabelled image: put some into its folder "unlabeled", or keep the labels of a part only (--labels-per-class, --labels-list). Without any, use gleaner train.`
        : `Each of the ${counted(unlabeledCount, 'unlabelled image')} of ${options.train.data} is a copy of an image that is scored on or chosen by.`,
    );
  const shown = new Set(train.map(({ label }) => label));
  const missing = classes.filter((_, label) => !shown.has(label));
  if (missing.length > 0)
    throw new InputError(
      `No labelled image shows ${shownList(missing)}: unlabelled images of it would be labelled as another class. Label at least one, or take the class out.`,
    );
  const { kind } = parseThreshold(options.threshold, classes.length);
  const needs = kind === 'expected-error' ? `--threshold ${options.threshold}` : `--adjust ${options.adjust}`;
  if ((kind === 'expected-error' || options.adjust !== 'none') && !isJudged(options, data))
    throw new InputError(
      `${needs} estimates what the teacher gets wrong on labelled images that it was not trained on: without folds there are none (--folds).`,
    );
  await checkTeachers(options.teacher, classes);
  return data;
}

function work(
  run: RunFolder,
  engine: Engine,
  job: SelfTrainJob,
  command: Command,
  acceptEngine: boolean,
): Promise<RunResult> {
  const { options, data, networks, control } = job;
  const { train } = options;
  const started = performance.now();
  const request = { options: train, data, control, acceptEngine };
  return inWorkshop(run, engine, networks.base, request, { command }, async (workshop) => {
    const trained = await new SelfTraining({ run, workshop, stages: new Stages(run, control), job }).train();
    // The network that is kept may take images of another size than the first teacher's.
    return workshopFor(workshop, trained.network.preprocessing, train.maxPixels * 1e6, (own) =>
      finishRun(run, own, { ...trained, data, options: train, method: command, started }),
    );
  });
}
