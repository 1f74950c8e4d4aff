import { join } from 'node:path';
import { trainableParameters } from '../autodiff/parameters.ts';
import { PairedViews } from '../batches/paired-views.ts';
import { writeFileAtomic } from '../core/atomic-file.ts';
import { InputError } from '../core/errors.ts';
import { packageVersion } from '../core/package-version.ts';
import { describeDataset } from '../datasets/describe.ts';
import type { Dataset, Sample } from '../datasets/dataset.ts';
import { prepareDataset } from '../datasets/prepare.ts';
import { toFeatureMetadata } from '../models/description.ts';
import { findEmbedding } from '../models/embedding.ts';
import { featureExtractor } from '../models/head.ts';
import { parameterGroups } from '../models/parameter-groups.ts';
import type { Preprocessing } from '../models/preprocessing.ts';
import { withSiameseHeads } from '../models/siamese-heads.ts';
import type { Graph } from '../onnx/graph.ts';
import { extract } from '../onnx/compose.ts';
import { writeModel } from '../onnx/write.ts';
import { schedule } from '../optim/schedules.ts';
import type { Engine } from '../runtime/engine.ts';
import { memoryReport } from '../runtime/memory.ts';
import { EngineChoices } from '../train/engine-choices.ts';
import { readEvents } from '../train/events.ts';
import { trainLoop } from '../train/loop.ts';
import { planPasses } from '../train/memory-plan.ts';
import { planParameters } from '../train/parameter-plan.ts';
import { RunFolder } from '../train/run-folder.ts';
import type { StepOptions } from '../train/step-options.ts';
import { withWeights } from '../train/weights.ts';
import { builtInNetwork } from './built-in-network.ts';
import { givenBackbone } from './given-backbone.ts';
import { onRun, withEngine } from './in-workshop.ts';
import { newRunFolder } from './new-run-folder.ts';
import {
  LEAST_BATCH,
  resolvePretrainOptions,
  type PretrainOptions,
  type ResolvedPretrainOptions,
} from './pretrain-options.ts';
import { Stages } from './stages.ts';
import type { TrainControl } from './train-control.ts';
import { withAbsolutePaths } from './train-options.ts';
import type { Workshop } from './workshop.ts';

export interface PretrainResult {
  /** Folder of the run. */
  readonly run: string;
  /** A feature extractor, to be given to `train` as its backbone. */
  readonly backbone: string;
  /** Images that were learnt from. */
  readonly images: number;
  /** Mean loss of the last epoch, -1 (views of an image always agree) to 1. */
  readonly loss: number;
  /** How far projections of different images differ at the end: about 1 where they do, 0 where training has collapsed. */
  readonly spread: number;
  readonly seconds: number;
}

/** Images a network sees, views counted once, if nothing else is said. */
const IMAGES = { scratch: 100_000, backbone: 20_000 } as const;
/** Of `spread` (`simSiam`): below, training has collapsed, or is about to. */
const COLLAPSED = 0.1;
/** Per 256 images a step. Chen and He 2021, section 4; a backbone moves a tenth as fast. */
const RATE = { scratch: 0.05, backbone: 0.005 } as const;

/**
 * Pretrains a network on images without looking at labels (SimSiam, Chen and He 2021, arXiv:2011.10566), from random weights or
 * on a backbone, and writes a feature extractor that `train` takes as its backbone. All images of the data train it but
 * those of val and test, and unlabelled copies of these.
 * @throws InputError for bad options or data; AbortedError once what was trained is saved; RunError for a fault.
 * @example
 * const { backbone } = await pretrain({ data: 'photos', model: 'cifar_resnet20' });
 * await train({ data: 'photos', backbone });
 */
export function pretrain(options: PretrainOptions, control: TrainControl = {}): Promise<PretrainResult> {
  const resolved = resolvePretrainOptions(options);
  return withEngine(resolved, control, undefined, async (engine) => {
    const { dataset, samples } = await readSamples(resolved, control);
    const network = await openExtractor(resolved, samples, control);
    const run = await RunFolder.create(resolved.out ?? newRunFolder(), {
      dataFingerprint: dataset.fingerprint,
      gleaner: packageVersion(),
      method: 'pretrain',
      options: withAbsolutePaths(resolved),
    });
    return work(run, engine, { options: resolved, samples, network, dataset, control });
  });
}

/**
 * Continues a pretraining that was interrupted; it ends with the same bytes as one that never was.
 * @throws InputError where there is no such run, it has finished, or data or engine changed.
 */
export async function resumePretraining(folder: string, control: TrainControl = {}): Promise<PretrainResult> {
  const run = await RunFolder.resume(folder);
  try {
    const options = resolvePretrainOptions(run.config['options'], `config.json of ${folder}`);
    return await withEngine(options, control, undefined, async (engine) => {
      const { dataset, samples } = await readSamples(options, control);
      run.checkData(dataset.fingerprint, false);
      const network = await openExtractor(options, samples, control);
      return work(run, engine, { options, samples, network, dataset, control });
    });
  } finally {
    await run.close();
  }
}

interface Extractor {
  /** Ends in `embedding`. */
  readonly graph: Graph;
  readonly input: string;
  readonly embedding: string;
  readonly preprocessing: Preprocessing;
  readonly start: 'scratch' | 'backbone';
}

interface Job {
  readonly options: ResolvedPretrainOptions;
  readonly samples: readonly Sample[];
  readonly network: Extractor;
  readonly dataset: Dataset;
  readonly control: TrainControl;
}

async function readSamples(
  options: ResolvedPretrainOptions,
  { signal, onProgress }: TrainControl,
): Promise<{ dataset: Dataset; samples: readonly Sample[] }> {
  const { dataset } = await prepareDataset(options.data, {
    layout: options.dataLayout,
    followLinks: options.followLinks,
    maxPixels: options.maxPixels * 1e6,
    labelsOptional: true,
    ...(signal && { signal }),
  });
  onProgress?.({ type: 'note', message: describeDataset(dataset) });
  const samples = dataset.samples.filter(({ split }) => split === 'train' || split === 'unlabeled');
  if (samples.length < LEAST_BATCH)
    throw new InputError(
      `Pretraining needs at least ${LEAST_BATCH} images to a batch; ${options.data} has ${samples.length} to train on.`,
    );
  return { dataset, samples };
}

async function openExtractor(
  options: ResolvedPretrainOptions,
  samples: readonly Sample[],
  control: TrainControl,
): Promise<Extractor> {
  if (options.backbone === undefined) {
    const { model, preprocessing } = builtInNetwork(options, { train: samples }, { classes: 2 }, control.onProgress);
    const { graph, embedding } = featureExtractor(model.graph, findEmbedding(model.graph));
    return { graph, embedding, input: 'input', preprocessing, start: 'scratch' };
  }
  const { preprocessing, input, model, embedding: found } = await givenBackbone(options.backbone, options, control);
  const { graph, embedding } = featureExtractor(model.graph, found);
  return { graph, embedding, input, preprocessing, start: 'backbone' };
}

function work(run: RunFolder, engine: Engine, job: Job): Promise<PretrainResult> {
  const { options, network, control } = job;
  const started = performance.now();
  const { preprocessing } = network;
  const how = { command: 'pretrain', control, preprocessing, maxPixels: options.maxPixels * 1e6 };
  const openChoices = (): Promise<EngineChoices> =>
    EngineChoices.open(engine, {
      file: run.file('engine.json'),
      gleaner: packageVersion(),
      ...(options.engine !== undefined && { reuse: options.engine }),
    });
  return onRun(run, engine, how, openChoices, async (workshop) => {
    const stages = new Stages(run, control);
    const graph = await stages.run('pretrain', (folder) => trained(workshop, job, folder));
    const provenance = {
      gleaner: packageVersion(),
      method: 'pretrain',
      seed: options.seed,
      data: job.dataset.fingerprint,
    };
    const metadata = toFeatureMetadata(preprocessing, provenance);
    const backbone = run.file('backbone.onnx');
    await writeFileAtomic(backbone, writeModel({ graph, metadata }));
    const seconds = (performance.now() - started) / 1000;
    const events = await readEvents(run.file('events.jsonl'));
    const last = (kind: string, key: string): number => events.findLast(({ type }) => type === kind)![key] as number;
    const [loss, spread] = [last('epoch', 'loss'), last('spread', 'spread')];
    return { run: run.path, backbone, images: job.samples.length, loss, spread, seconds };
  });
}

/** The extractor with its new weights. */
async function trained(
  { engine, choices, pool, crops, record, onProgress, signal }: Workshop,
  { options, samples, network }: Job,
  folder: string,
): Promise<Graph> {
  const { start, preprocessing } = network;
  const batchSize = Math.min(options.batchSize, samples.length);
  const epochs = options.epochs ?? Math.max(1, Math.round(IMAGES[start] / samples.length));
  const rate = options.lr ?? (RATE[start] * batchSize) / 256;
  const heads = withSiameseHeads(network.graph, network.embedding, options.width, options.seed);
  const parameters = trainableParameters(heads.graph, heads.prediction);
  const plan = planParameters(parameterGroups(heads.graph, parameters), { rate, head: heads.predictor });
  const wanted: StepOptions = {
    graph: heads.graph,
    input: network.input,
    logits: heads.prediction,
    images: { kind: 'pixels', preprocessing },
    labels: 'indices',
    loss: { name: 'simsiam', projection: heads.projection },
    parameters: plan.parameters,
    microBatch: batchSize,
    batchNorm: 'batch',
    optimizer: {
      name: 'sgd',
      momentum: options.momentum,
      nesterov: false,
      weightDecay: options.weightDecay ?? 1e-4,
    },
    ...(options.recompute !== undefined && { recompute: options.recompute }),
    target: choices.target,
  };
  // Batch statistics are those of the whole batch: it is one pass, or an error that says what helps.
  const microBatch = await choices.microBatch('pretrain', () => {
    return planPasses(wanted, { availableBytes: memoryReport().availableBytes }).microBatch;
  });
  const step = { ...wanted, microBatch, microBatches: batchSize / microBatch };
  const policy = options.augment ?? defaultViews(start);
  onProgress?.({
    type: 'note',
    message: `SimSiam: ${samples.length} images, ${epochs} epochs, batches of ${batchSize} in two views each, learning rate ${rate.toPrecision(2)}, views by ${policy}.`,
  });
  const source = new PairedViews(pool, crops, {
    items: samples.map(({ id, file, contentKey, width, height }) => ({
      id,
      file,
      contentKey,
      width,
      height,
      target: 0,
    })),
    batchSize,
    policy,
    epochs,
    seed: options.seed,
    stage: 'pretrain',
  });
  const totalSteps = epochs * source.stepsPerEpoch;
  const result = await trainLoop({
    engine,
    phases: [{ fromEpoch: 1, step }],
    source,
    epochs,
    schedule: schedule({
      name: 'cosine',
      totalSteps,
      warmupSteps: Math.min(totalSteps - 1, Math.round((options.warmupEpochs ?? epochs / 20) * source.stepsPerEpoch)),
    }),
    rates: plan.rates,
    seed: options.seed,
    stage: 'pretrain',
    checkpoints: join(folder, 'checkpoints'),
    record,
    ...(onProgress && { onProgress }),
    ...(signal && { signal }),
    onStep(taken, { metrics }) {
      if (taken % source.stepsPerEpoch !== 0) return;
      const [epoch, spread] = [taken / source.stepsPerEpoch, metrics['spread']!];
      record({ type: 'spread', stage: 'pretrain', epoch, spread });
      if (spread < COLLAPSED)
        onProgress?.({
          type: 'warning',
          message: `Epoch ${epoch}: projections differ by ${spread.toFixed(3)} of what random ones would (1), so all images look alike to the network. A smaller --lr, larger batches or milder views (--augment) are what helps.`,
        });
    },
  });
  const whole = withWeights(heads.graph, result.weights);
  return extract(whole, [network.embedding]);
}

/** What a network from scratch may be shown mirrored is not known: images may be digits. */
function defaultViews(start: Extractor['start']): string {
  const flips = start === 'backbone' ? '|flip' : '';
  return `randomresizedcrop(scale=0.2..1)${flips}|colorjitter|grayscale(p=0.2)`;
}
