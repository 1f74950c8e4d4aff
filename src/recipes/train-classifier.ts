import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { openBackbone } from '../backbones/open.ts';
import { CropCache } from '../batches/crop-cache.ts';
import { EvaluationCrops } from '../batches/evaluation-crops.ts';
import { ImagePool } from '../batches/image-pool.ts';
import { packageVersion } from '../core/package-version.ts';
import { readSafetensorsFile, writeSafetensorsFile } from '../core/safetensors.ts';
import { AbortedError, InputError, RunError } from '../core/errors.ts';
import { tensor, type Tensor } from '../core/tensor.ts';
import type { Target } from '../lowering/lower.ts';
import { buildModel, defaultInputSize } from '../models/registry.ts';
import { parsePreprocessing, describePreprocessing } from '../models/preprocessing.ts';
import { blockSize } from '../runtime/block-size.ts';
import { Engine } from '../runtime/engine.ts';
import { Tuning } from '../runtime/tuning.ts';
import { compileStep } from '../train/compile-step.ts';
import { EngineChoices } from '../train/engine-choices.ts';
import { RunFolder } from '../train/run-folder.ts';
import { finishRun, type RunResult } from './finish-run.ts';
import { fit, type Workshop } from './fit.ts';
import { fitLinearProbe } from './linear-probe.ts';
import { featuresOnPixels, withNewHead, type Network } from './network.ts';
import { newRunFolder } from './new-run-folder.ts';
import { outputsOf } from './outputs.ts';
import { predictionsOf, type HeldOutPredictions } from './held-out-predictions.ts';
import { foldsOf, prepareData, type TrainingData } from './prepare-data.ts';
import type { TrainControl } from './train-control.ts';
import { resolveTrainOptions, type ResolvedTrainOptions, type TrainOptions } from './train-options.ts';
import { planTraining, type TrainingPlan } from './training-plan.ts';
import { trainingSteps } from './training-steps.ts';

export type TrainResult = RunResult;
export type Method = 'probe' | 'finetune' | 'scratch';

/**
 * Trains a classifier on a folder of labelled images and writes a run: the deployable model, its score with an
 * interval, and a report.
 * @throws InputError for bad options or data; AbortedError once what was trained is saved; RunError for a fault.
 * @example
 * const { accuracy, model } = await train({ data: 'photos', backbone: 'mobilenet_v2.onnx' });
 */
export async function train(options: TrainOptions, control: TrainControl = {}): Promise<TrainResult> {
  const resolved = resolveTrainOptions(options);
  checkTogether(resolved);
  return withEngine(resolved, control, async (engine) => {
    const data = await prepareData(resolved, control);
    const opened = await openNetwork(resolved, methodOf(resolved), data, control);
    // Nothing is written before data and network are known to be good.
    const run = await RunFolder.create(resolved.out ?? newRunFolder(), {
      dataFingerprint: data.dataset.fingerprint,
      gleaner: packageVersion(),
      method: methodOf(resolved),
      // Absolute: a run may be continued from another folder.
      options: { ...resolved, data: resolve(resolved.data) },
    });
    return work(run, engine, opened, { options: resolved, data, control, acceptEngine: false });
  });
}

export interface ResumeControl extends TrainControl {
  /** Go on although the engine, or how it computes, differs. */
  readonly acceptEngine?: boolean;
  readonly acceptDataChange?: boolean;
}

/**
 * Continues a run that was interrupted; it ends with the same bytes as one that never was.
 * @throws InputError where there is no such run, it has finished, or data or engine changed and that was not accepted.
 */
export async function resumeTraining(folder: string, control: ResumeControl = {}): Promise<TrainResult> {
  const run = await RunFolder.resume(folder);
  try {
    const options = resolveTrainOptions(run.config['options'], `config.json of ${folder}`);
    return await withEngine(options, control, async (engine) => {
      const data = await prepareData(options, control);
      run.checkData(data.dataset.fingerprint, control.acceptDataChange ?? false);
      const opened = await openNetwork(options, methodOf(options), data, control);
      return work(run, engine, opened, { options, data, control, acceptEngine: control.acceptEngine ?? false });
    });
  } finally {
    // Where it did not end by itself.
    await run.close();
  }
}

async function withEngine<T>(
  options: ResolvedTrainOptions,
  control: TrainControl,
  use: (engine: Engine) => Promise<T>,
): Promise<T> {
  await using engine = await Engine.start({
    device: options.device,
    ...(options.threads !== undefined && { threads: options.threads }),
  });
  if (engine.deviceNote !== undefined) control.onProgress?.({ type: 'note', message: engine.deviceNote });
  // Awaited here: the engine is disposed on the way out.
  return await use(engine);
}

interface Job {
  readonly options: ResolvedTrainOptions;
  readonly data: TrainingData;
  readonly control: TrainControl;
  readonly acceptEngine: boolean;
}

async function work(run: RunFolder, engine: Engine, opened: Opened, job: Job): Promise<TrainResult> {
  const { options, data, control } = job;
  const started = performance.now();
  let pool: ImagePool | undefined;
  try {
    const choices = await engineChoices(run, engine, opened, job);
    pool = await ImagePool.start(opened.preprocessing, { maxPixels: options.maxPixels * 1e6 });
    const workshop: Workshop = {
      engine,
      choices,
      pool,
      crops: new EvaluationCrops(pool, new CropCache(opened.preprocessing)),
      record: (event) => run.append(event),
      onProgress: control.onProgress,
      signal: control.signal,
    };
    const trained = await opened.train(workshop, new Stages(run, control));
    const method = methodOf(options);
    const result = await finishRun(run, workshop, {
      ...trained,
      data,
      options,
      method,
      source: opened.source,
      started,
    });
    await run.finish();
    return result;
  } catch (error) {
    await run.close();
    const next = `Continue with: gleaner train --resume ${run.path}`;
    if (error instanceof AbortedError) throw new AbortedError(`${error.message} ${next}`, { cause: error });
    if (error instanceof RunError) throw new RunError(`${error.message} ${next}`, { cause: error });
    throw error;
  } finally {
    await pool?.dispose();
  }
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
  if (options.model !== undefined) defaultInputSize(options.model);
}

/** Numbers and times the stages of a run. */
class Stages {
  readonly #run: RunFolder;
  readonly #control: TrainControl;
  #count = 0;

  constructor(run: RunFolder, control: TrainControl) {
    this.#run = run;
    this.#control = control;
  }

  async run<T>(stage: string, work: (folder: string) => Promise<T>): Promise<T> {
    const folder = await this.#run.stage(++this.#count, stage);
    const start = performance.now();
    this.#run.append({ type: 'stage', stage, state: 'start' });
    this.#control.onProgress?.({ type: 'stage', stage, state: 'start' });
    const result = await work(folder);
    const seconds = (performance.now() - start) / 1000;
    this.#run.append({ type: 'stage', stage, state: 'end', seconds });
    this.#control.onProgress?.({ type: 'stage', stage, state: 'end', seconds });
    return result;
  }
}

/** What a method makes of the data. */
interface Trained {
  readonly network: Network;
  /** On labelled images that the network was not trained on; undefined where there are none. */
  readonly calibration: HeldOutPredictions | undefined;
}

interface Opened {
  readonly preprocessing: Network['preprocessing'];
  readonly source: {
    readonly name: string;
    readonly source: string;
    readonly sha256?: string;
    readonly preprocessing: string;
  };
  /** Of the shapes that will be trained; for measuring. */
  untrained(): Network;
  train(workshop: Workshop, stages: Stages): Promise<Trained>;
}

async function openNetwork(
  options: ResolvedTrainOptions,
  method: Method,
  data: TrainingData,
  control: TrainControl,
): Promise<Opened> {
  const note = (message: string): void => control.onProgress?.({ type: 'note', message });
  if (method === 'scratch') {
    const name = options.model ?? defaultModel(data);
    const side = options.inputSize ?? (options.model === undefined ? defaultSide(data) : defaultInputSize(name));
    const half = [127.5, 127.5, 127.5] as const;
    const preprocessing = parsePreprocessing(
      {
        inputSize: [side, side],
        mean: options.mean ?? half,
        std: options.std ?? half,
        ...(options.interpolation && { interpolation: options.interpolation }),
        ...(options.cropFraction && { cropFraction: options.cropFraction }),
        ...(options.channels && { channels: options.channels }),
      },
      'the options',
    );
    const model = buildModel(name, {
      classes: data.classes.length,
      inputSize: side,
      seed: options.seed,
      ...(options.dropout > 0 && { dropout: options.dropout }),
    });
    note(`Network: ${name}, from scratch.\nPreprocessing: ${describePreprocessing(preprocessing)}.`);
    const network: Network = { graph: model.graph, input: 'input', logits: 'logits', preprocessing, head: [] };
    return {
      preprocessing,
      source: { name, source: 'built in, random weights', preprocessing: describePreprocessing(preprocessing) },
      untrained: () => network,
      train: (workshop, stages) => trainNetwork(workshop, stages, options, 'scratch', data, async () => network),
    };
  }
  const { inputSize, mean, std, channels, interpolation, cropFraction, layout, embedding, logits } = options;
  const flags = { inputSize, mean, std, channels, interpolation, cropFraction, layout, embedding, logits };
  const backbone = await openBackbone(
    options.backbone!,
    Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined)),
    {
      ...(control.signal && { signal: control.signal }),
      ...(control.onProgress && { onProgress: control.onProgress }),
    },
  );
  note(backbone.description);
  const { preprocessing } = backbone;
  const { graph } = backbone.model;
  const headed = (head: { weight: Tensor; bias: Tensor }): Network =>
    withNewHead(graph, backbone.embedding, preprocessing, data.classes.length, head, options.dropout);
  const probe = async (workshop: Workshop, samples: TrainingData['train'], folder: string): Promise<ProbeOutcome> =>
    probeStage(
      workshop,
      options,
      data.classes.length,
      samples,
      folder,
      featuresOnPixels(graph, backbone.embedding, preprocessing),
    );
  return {
    preprocessing,
    source: {
      name: graph.name,
      source: backbone.source,
      sha256: backbone.sha256,
      preprocessing: `${describePreprocessing(preprocessing)} (${backbone.preprocessingSource})`,
    },
    untrained: () =>
      withNewHead(graph, backbone.embedding, preprocessing, data.classes.length, 'zeros', options.dropout),
    async train(workshop, stages) {
      if (method === 'finetune')
        return trainNetwork(workshop, stages, options, 'finetune', data, async (samples, folder) =>
          headed(await probe(workshop, samples, folder)),
        );
      return stages.run('probe', async (folder): Promise<Trained> => {
        const outcome = await probe(workshop, data.train, folder);
        const network = headed(outcome);
        const calibration =
          data.validation.length > 0
            ? await predictionsOf(workshop, network, data, data.validation, 'validation images')
            : outcome.outOfFold && {
                classes: data.classes,
                logits: outcome.outOfFold,
                labels: data.train.map(({ label }) => label),
                foundOn: `out-of-fold predictions of ${data.train.length} labelled images`,
              };
        return { network, calibration };
      });
    },
  };
}

interface ProbeOutcome {
  readonly weight: Tensor;
  readonly bias: Tensor;
  readonly outOfFold: Float32Array | undefined;
}

/** Features and the linear head on them; taken from the stage's folder where it was done before. */
async function probeStage(
  workshop: Workshop,
  options: ResolvedTrainOptions,
  classes: number,
  samples: TrainingData['train'],
  folder: string,
  extractor: Parameters<typeof outputsOf>[1],
): Promise<ProbeOutcome> {
  const file = join(folder, 'head.safetensors');
  if (existsSync(file)) {
    const { tensors } = await readSafetensorsFile(file, { requireChecksum: true });
    return {
      weight: tensors.get('weight')!,
      bias: tensors.get('bias')!,
      outOfFold: tensors.get('out_of_fold')?.data as Float32Array | undefined,
    };
  }
  const { engine, crops, onProgress, signal } = workshop;
  const features = await outputsOf(engine, extractor, crops, samples, { stage: 'features', onProgress, signal });
  const result = await fitLinearProbe(
    engine,
    features,
    samples.map(({ label }) => label),
    classes,
    {
      seed: options.seed,
      ...(options.folds !== undefined && { folds: options.folds }),
      ...(signal && { signal }),
    },
  );
  workshop.record({ type: 'probe', strength: result.strength, crossValidation: result.crossValidation });
  const tensors: [string, Tensor][] = [
    ['weight', result.weight],
    ['bias', result.bias],
  ];
  if (result.outOfFold !== undefined)
    tensors.push(['out_of_fold', tensor('float32', [samples.length, classes], result.outOfFold)]);
  await writeSafetensorsFile(file, tensors);
  return result;
}

/** Trains all of a network; then, without validation images, once a fold, to calibrate on what it has not seen. */
async function trainNetwork(
  workshop: Workshop,
  stages: Stages,
  options: ResolvedTrainOptions,
  method: 'finetune' | 'scratch',
  data: TrainingData,
  start: (samples: TrainingData['train'], folder: string) => Promise<Network>,
): Promise<Trained> {
  const { classes, train: samples, validation } = data;
  const plan = planTraining(options, method, samples.length);
  workshop.onProgress?.({ type: 'note', message: describePlan(plan, samples.length) });
  const network = await stages.run(method, async (folder) => {
    const begun = await start(samples, folder);
    const request = { network: begun, plan, options, train: samples, validation, classes, stage: method };
    return (await fit(workshop, { ...request, checkpoints: join(folder, 'checkpoints') })).network;
  });
  if (validation.length > 0)
    return { network, calibration: await predictionsOf(workshop, network, data, validation, 'validation images') };
  const perClass = classes.map((_, label) => samples.filter((sample) => sample.label === label).length);
  const count = Math.min(options.folds ?? 3, Math.max(...perClass));
  if (count < 2) return { network, calibration: undefined };
  const logits = new Float32Array(samples.length * classes.length);
  for (const [k, fold] of foldsOf(samples, count, options.seed).entries())
    await stages.run(`fold-${k + 1}`, async (folder) => {
      const begun = await start(fold.train, folder);
      const request = {
        network: begun,
        plan,
        options,
        train: fold.train,
        validation: [],
        classes,
        stage: `fold-${k + 1}`,
      };
      const fitted = await fit(workshop, { ...request, checkpoints: join(folder, 'checkpoints') });
      const predictions = await predictionsOf(workshop, fitted.network, data, fold.held, 'fold');
      for (const [i, sample] of fold.held.entries())
        logits.set(
          predictions.logits.subarray(i * classes.length, (i + 1) * classes.length),
          samples.indexOf(sample) * classes.length,
        );
    });
  const labels = samples.map(({ label }) => label);
  return {
    network,
    calibration: { classes, logits, labels, foundOn: `out-of-fold predictions of ${samples.length} labelled images` },
  };
}

function methodOf(options: ResolvedTrainOptions): Method {
  return options.method ?? (options.backbone === undefined ? 'scratch' : 'finetune');
}

/** A network that suits the size of the images, where none is named. */
function defaultModel(data: TrainingData): string {
  const side = medianSide(data);
  if (side <= 30) return 'digits';
  return side <= 48 ? 'cifar_resnet20' : 'mobilenetv2_050';
}

function defaultSide(data: TrainingData): number {
  const side = medianSide(data);
  if (side <= 30) return 28;
  return side <= 48 ? 32 : 128;
}

/** Median of the shorter sides of the training images, in pixels. */
function medianSide({ train: samples }: TrainingData): number {
  const sides = samples.map(({ width, height }) => Math.min(width, height)).toSorted((a, b) => a - b);
  return sides[Math.floor(sides.length / 2)]!;
}

/**
 * How the engine computes; written before the first step, and checked when a run is taken up again. With `tune`, the
 * lowerings of shapes not met before are measured first.
 */
async function engineChoices(run: RunFolder, engine: Engine, opened: Opened, job: Job): Promise<EngineChoices> {
  const { options, data, control } = job;
  const method = methodOf(options);
  const file = run.file('engine.json');
  let tuning: Tuning | undefined;
  const block = await blockSize(engine);
  if (options.tune && method !== 'probe' && !existsSync(file)) {
    tuning = await Tuning.open(engine);
    const { choose } = tuning;
    const plan = planTraining(options, method, data.train.length);
    const target: Target = block > 1 ? { kind: 'blocked', block, choose } : { kind: 'plain', choose };
    const { phases } = trainingSteps(opened.untrained(), plan, options, data.train, data.classes.length, target);
    const onProgress = (done: number, total: number): void =>
      control.onProgress?.({ type: 'step', stage: 'tune', done, total, unit: 'shapes' });
    do for (const { step } of phases) compileStep(step);
    while ((await tuning.tune(engine, { onProgress, ...(control.signal && { signal: control.signal }) })) > 0);
  }
  return EngineChoices.open(engine, {
    file,
    gleaner: packageVersion(),
    accept: job.acceptEngine,
    ...(options.engine !== undefined && { reuse: options.engine }),
    ...(tuning && { tuning }),
  });
}

function describePlan(plan: TrainingPlan, count: number): string {
  return (
    `Training on ${count} images: ${plan.epochs} epochs in batches of ${plan.batchSize}, ${plan.optimizer.name}, ` +
    `learning rate ${plan.lr} (head ${plan.headLr}), batch norm ${plan.batchNorm}, ` +
    `${plan.cropScale < 1 ? `random crops from ${plan.cropScale} of the area` : 'no random crops'}, ${plan.flip ? 'flips' : 'no flips'}.`
  );
}
