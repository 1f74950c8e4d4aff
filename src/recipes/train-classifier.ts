import { timed } from '../core/profile.ts';
import { packageVersion } from '../core/package-version.ts';
import { InputError } from '../core/errors.ts';
import { defaultInputSize } from '../models/registry.ts';
import type { Engine } from '../runtime/engine.ts';
import { RunFolder } from '../train/run-folder.ts';
import { JobProfile } from './workshop/job-profile.ts';
import { partsOf } from './consistency/consistency-plan.ts';
import { labelOnce } from './evidence/label-once.ts';
import { finishRun, type RunResult } from './results/finish-run.ts';
import { newRunFolder } from './workshop/new-run-folder.ts';
import { prepareData, type TrainingData } from './prepare-data.ts';
import type { ResumeControl, TrainControl } from './train-control.ts';
import {
  resolveTrainOptions,
  withAbsolutePaths,
  type ResolvedTrainOptions,
  type TrainOptions,
} from './train-options.ts';
import type { ChoicesRequest } from './workshop/engine-choices.ts';
import { inWorkshop, withEngine } from './workshop/in-workshop.ts';
import { consistencyMethodOf, methodName, methodOf } from './method.ts';
import { openNetwork } from './networks/open-network.ts';
import type { OpenedNetwork } from './networks/opened-network.ts';
import { isPlan, ofOneMethod, trainingOptionIn, type PlanOptions } from './plan/plan-options.ts';
import type { PlanResult } from './plan/finish-plan.ts';
import { resumePlan, runPlan } from './plan/run-plan.ts';
import { refuseSelfTraining } from './self-training/self-train-options.ts';
import { Stages } from './stages.ts';

/** Of a plan, what became of its stages beside. */
export type TrainResult = RunResult & Partial<PlanResult>;

/**
 * Trains a classifier on a folder of labelled images and writes a run: the deployable model, its score with an
 * interval, and a report. Where neither a method nor an option of one method's training is named, a plan chooses among the
 * methods within `budget` (10 minutes).
 * @throws InputError for bad options or data; AbortedError once what was trained is saved; RunError for a fault.
 * @example
 * const { accuracy, model } = await train({ data: 'photos', backbone: 'mobilenet_v2.onnx', budget: '15m' });
 */
export async function train(options: TrainOptions | PlanOptions, control: TrainControl = {}): Promise<TrainResult> {
  if (isPlan(options)) return runPlan(options, control);
  const resolved = resolveTrainOptions(ofOneMethod(options));
  checkTogether(resolved);
  const named = options.method === undefined ? trainingOptionIn(options) : undefined;
  if (named !== undefined)
    control.onProgress?.({
      type: 'note',
      message: `"${named}" belongs to the training of one method: this is --method ${methodOf(resolved)}, no plan.`,
    });
  // Reading begins while the engine starts, and ends where that fails.
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, ...(control.signal ? [control.signal] : [])]);
  const profile = resolved.profile ? new JobProfile() : undefined;
  const track = profile?.job;
  const reading = prepareData(resolved, { ...control, signal }, { ...reads(resolved), track: profile?.data });
  reading.catch(() => {});
  try {
    return await withEngine(resolved, control, track, async (engine) => {
      const data = await timed(track, 'wait for the data', () => reading);
      checkUnlabeled(resolved, data);
      const open = (): Promise<OpenedNetwork> => openNetwork(resolved, methodOf(resolved), data, control);
      const opened = await timed(track, 'open the network', open);
      // Nothing is written before data and network are known to be good.
      const run = await RunFolder.create(resolved.out ?? newRunFolder(), {
        dataFingerprint: data.dataset.fingerprint,
        gleaner: packageVersion(),
        method: methodName(resolved),
        options: withAbsolutePaths(resolved),
      });
      return work(run, engine, opened, { options: resolved, data, control, acceptEngine: false }, profile);
    });
  } finally {
    stop.abort();
  }
}

/**
 * Continues a run that was interrupted; it ends with the same bytes as one that never was.
 * @throws InputError where there is no such run, it has finished, or data or engine changed and that was not accepted.
 */
export async function resumeTraining(folder: string, control: ResumeControl = {}): Promise<TrainResult> {
  const run = await RunFolder.resume(folder);
  try {
    if (run.config['teaching'] !== undefined)
      throw new InputError(
        `The run in ${folder} is a distillation; continue it with: gleaner distill --resume ${folder}`,
      );
    if (run.config['plan'] !== undefined) return await resumePlan(run, control);
    refuseSelfTraining(run.config, folder, `continue it with gleaner ${String(run.config['method'])} --resume`);
    const options = resolveTrainOptions(run.config['options'], `config.json of ${folder}`);
    const profile = (control.profile ?? options.profile) ? new JobProfile() : undefined;
    const track = profile?.job;
    return await withEngine(options, control, track, async (engine) => {
      const data = await timed(track, 'wait for the data', () =>
        prepareData(options, control, { ...reads(options), track: profile?.data }),
      );
      run.checkData(data.dataset.fingerprint, control.acceptDataChange ?? false);
      const open = (): Promise<OpenedNetwork> => openNetwork(options, methodOf(options), data, control);
      const opened = await timed(track, 'open the network', open);
      const acceptEngine = control.acceptEngine ?? false;
      return work(run, engine, opened, { options, data, control, acceptEngine }, profile);
    });
  } finally {
    // Where it did not end by itself.
    await run.close();
  }
}

function work(
  run: RunFolder,
  engine: Engine,
  opened: OpenedNetwork,
  job: ChoicesRequest,
  profile: JobProfile | undefined,
): Promise<TrainResult> {
  const { options, data, control } = job;
  const started = performance.now();
  return inWorkshop(run, engine, opened, job, { command: 'train', profile }, async (workshop) => {
    const trained = await opened.train(workshop, new Stages(run, control, profile?.job));
    const { source } = opened;
    const consistency = consistencyMethodOf(options);
    if (consistency !== undefined)
      await labelOnce(run, workshop, trained, data, options, partsOf(options, consistency), source.name);
    return finishRun(run, workshop, { ...trained, data, options, method: methodName(options), source, started });
  });
}

/** What the method needs of the data. */
function reads(options: ResolvedTrainOptions): { useUnlabeled: boolean } {
  return { useUnlabeled: consistencyMethodOf(options) !== undefined };
}

/** What fits together only in pairs. @throws InputError before anything is started */
function checkTogether(options: ResolvedTrainOptions): void {
  const method = methodOf(options);
  if (method !== 'scratch' && options.backbone === undefined)
    throw new InputError(`--method ${method} needs a pretrained network: --backbone FILE, URL or hf:owner/repo.`);
  if (method === 'scratch' && options.backbone !== undefined)
    throw new InputError(
      '--method scratch starts from random weights: leave out --backbone, or choose probe or finetune.',
    );
  if (options.backbone !== undefined && options.model !== undefined)
    throw new InputError('Give --backbone or --model, not both: --model trains from scratch.');
  if (method === 'scratch' && options.gradients)
    throw new InputError('--gradients joins features to those of a backbone, and --method scratch has none.');
  if (options.model !== undefined) defaultInputSize(options.model);
}

/** @throws InputError where the method learns from unlabelled images, and there are none, or a class has no label */
function checkUnlabeled(
  options: ResolvedTrainOptions,
  { unlabeled, unlabeledCount, classes, train }: TrainingData,
): void {
  if (consistencyMethodOf(options) === undefined) return;
  const known = new Set(train.map(({ label }) => label));
  const bare = classes.filter((_, label) => !known.has(label));
  if (bare.length > 0)
    throw new InputError(
      `--method ${options.method} would label images of ${bare.join(', ')} as other classes: it needs a labelled image of every class, and there is none of these.`,
    );
  if (unlabeled.length > 0) return;
  throw new InputError(
    `--method ${options.method} learns from unlabelled images, and ${options.data} has ${
      unlabeledCount === 0 ? 'none' : 'only copies of images that are scored on'
    }: put some into unlabeled/, or limit labels (--labels-list, --labels-per-class): the other images are then unlabelled.`,
  );
}
