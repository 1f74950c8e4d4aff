import { join } from 'node:path';
import { trainableParameters } from '../../autodiff/parameters.ts';
import { parsePolicy } from '../../augment/policy.ts';
import { PairedViews } from '../../batches/paired-views.ts';
import { TrainingBatches } from '../../batches/training-batches.ts';
import { replaceHead } from '../../models/head.ts';
import { parameterGroups } from '../../models/parameter-groups.ts';
import { withSiameseHeads } from '../../models/siamese-heads.ts';
import type { Graph } from '../../onnx/graph.ts';
import { extract } from '../../onnx/compose.ts';
import { schedule } from '../../optim/schedules.ts';
import { memoryReport } from '../../runtime/memory.ts';
import type { BatchSource } from '../../train/batch-source.ts';
import { trainLoop, type Phase } from '../../train/loop.ts';
import { planPasses } from '../../train/memory-plan.ts';
import { planParameters } from '../../train/parameter-plan.ts';
import type { StepLoss } from '../../train/step-loss.ts';
import type { StepOptions } from '../../train/step-options.ts';
import { withWeights } from '../../train/weights.ts';
import { announceTime } from '../training/announce-time.ts';
import { TaughtImages, teachingBytes } from '../distillation/teaching.ts';
import type { Teacher } from '../distillation/teacher.ts';
import type { Network } from '../networks/network.ts';
import { beginningSmaller, ImagesBySize, onSmallerImages, smallerEpochs } from '../training/smaller-images.ts';
import type { Workshop } from '../workshop/workshop.ts';
import type { StartingExtractor } from './extractor.ts';
import { ITS_FEATURES, similarityTo, standardised } from './feature-teacher.ts';
import type { PretrainingData } from './pretraining-data.ts';
import type { ResolvedPretrainOptions } from './pretrain-options.ts';

/** Images a network sees, views counted once, if nothing else is said. */
const IMAGES = { scratch: 100_000, backbone: 20_000 } as const;
/** Of `spread` (`simSiam`): below, training has collapsed, or is about to. */
const COLLAPSED = 0.1;
/** Per 256 images a step. Chen and He 2021, section 4; a backbone moves a tenth as fast. */
const RATE = { scratch: 0.05, backbone: 0.005 } as const;

export interface ExtractorRequest {
  readonly options: ResolvedPretrainOptions;
  readonly data: PretrainingData;
  readonly extractor: StartingExtractor;
  readonly teacher: Teacher | undefined;
  /** Of the stage. */
  readonly folder: string;
}

/** How often all images are seen. */
export function epochsOf(
  { epochs }: ResolvedPretrainOptions,
  { start }: Pick<StartingExtractor, 'start'>,
  { samples }: PretrainingData,
): number {
  return epochs ?? Math.max(1, Math.round(IMAGES[start] / samples.length));
}

/** An extractor with what is trained on it and thrown away after. */
interface Pretext {
  /** What the loss reads stands for its logits. */
  readonly network: Network;
  readonly embedding: string;
  readonly loss: StepLoss;
  readonly name: string;
}

/** Trains an extractor by SimSiam or by a teacher's features. @returns it with its new weights */
export async function trainExtractor(workshop: Workshop, request: ExtractorRequest): Promise<Graph> {
  const { engine, choices, record, onProgress, signal } = workshop;
  const { options, data, extractor, teacher, folder } = request;
  const { start } = extractor;
  const { samples } = data;
  const maxPixels = options.maxPixels * 1e6;
  const batchSize = Math.min(options.batchSize, samples.length);
  const epochs = epochsOf(options, extractor, data);
  const rate = options.lr ?? (RATE[start] * batchSize) / 256;
  const policy = options.augment ?? defaultViews(start);
  const { network, embedding, loss, name } = teacher === undefined ? siamese(request) : imitating(request, teacher);
  const parameters = trainableParameters(network.graph, network.logits);
  const plan = planParameters(parameterGroups(network.graph, parameters), { rate, head: network.head });
  const imagesOf = ({ graph, preprocessing }: Network): Pick<StepOptions, 'graph' | 'images'> => ({
    graph,
    images: { kind: 'pixels', preprocessing },
  });
  const asking = (of: Teacher) => ({ loss, teachers: [of], question: ITS_FEATURES, once: false });
  const wanted: StepOptions = {
    ...imagesOf(network),
    input: network.input,
    logits: network.logits,
    labels: 'indices',
    loss,
    parameters: plan.parameters,
    microBatch: batchSize,
    batchNorm: 'batch',
    optimizer: { name: 'sgd', momentum: options.momentum, nesterov: false, weightDecay: options.weightDecay ?? 1e-4 },
    ...(options.recompute !== undefined && { recompute: options.recompute }),
    target: choices.target,
  };
  // Batch statistics are those of the whole batch: it is one pass, or an error that says what helps.
  const microBatch = await choices.microBatch('pretrain', () => {
    const taken = teacher === undefined ? 0 : teachingBytes(asking(teacher), network.preprocessing);
    return planPasses(wanted, { availableBytes: Math.max(0, memoryReport().availableBytes - taken) }).microBatch;
  });
  const step = { ...wanted, microBatch, microBatches: batchSize / microBatch };
  const views = teacher === undefined ? 'in two views each' : `as the teacher ${teacher.source} sees them`;
  onProgress?.({
    type: 'note',
    message: `${name}: ${samples.length} images, ${epochs} epochs, batches of ${batchSize} ${views}, learning rate ${rate.toPrecision(2)}, views by ${policy}.`,
  });
  const items = samples.map(({ id, file, contentKey, width, height }) => {
    return { id, file, contentKey, width, height, target: 0 };
  });
  const batching = { items, batchSize, epochs, seed: options.seed, stage: 'pretrain' };
  await using images = new ImagesBySize(workshop, maxPixels);
  const fixed = teacher && (await standardised(workshop, teacher, samples, maxPixels));
  const teaching = fixed && asking(fixed);
  await using taught = teaching && (await TaughtImages.open(workshop, images, teaching, samples, maxPixels));
  const sourceOf = async (of: Pick<StepOptions, 'images'>): Promise<BatchSource> => {
    if (taught !== undefined)
      return taught.source(of, ({ pool, crops }) => {
        return new TrainingBatches(pool, crops, { ...batching, policy: parsePolicy(policy), classes: [] });
      });
    const { pool, crops } = await images.of(of);
    return new PairedViews(pool, crops, { ...batching, policy });
  };
  const small = smallerEpochs(epochs, options);
  const phases: Phase[] =
    small === 0
      ? [{ fromEpoch: 1, step }]
      : beginningSmaller([{ fromEpoch: 1, step }], imagesOf(onSmallerImages(network, options.trainSize!)), small).map(
          (phase) => ({ ...phase, openSource: () => sourceOf(phase.step) }),
        );
  const source = await sourceOf(step);
  const totalSteps = epochs * source.stepsPerEpoch;
  const work = { phases, source, epochs, stage: 'pretrain', checkpoints: join(folder, 'checkpoints') };
  const result = await trainLoop({
    ...work,
    engine,
    opened: await announceTime(workshop, work, totalSteps),
    schedule: schedule({
      name: 'cosine',
      totalSteps,
      warmupSteps: Math.min(totalSteps - 1, Math.round((options.warmupEpochs ?? epochs / 20) * source.stepsPerEpoch)),
    }),
    rates: plan.rates,
    seed: options.seed,
    record,
    ...(onProgress && { onProgress }),
    ...(signal && { signal }),
    onStep(taken, { metrics: { spread } }) {
      if (spread !== undefined && taken % source.stepsPerEpoch === 0)
        watchSpread(workshop, taken / source.stepsPerEpoch, spread);
    },
  });
  const trained = { ...network, graph: withWeights(network.graph, result.weights) };
  if (fixed !== undefined) {
    const similarity = (of: Network): Promise<number> => similarityTo(workshop, fixed, of, data.held, maxPixels);
    record({ type: 'similarity', before: await similarity(network), after: await similarity(trained) });
  }
  return extract(trained.graph, [embedding]);
}

function siamese({ options, extractor }: ExtractorRequest): Pretext {
  const { graph, input, embedding, preprocessing } = extractor;
  const heads = withSiameseHeads(graph, embedding, options.width, options.seed);
  return {
    network: { graph: heads.graph, input, logits: heads.prediction, preprocessing, head: heads.predictor },
    embedding,
    loss: { name: 'simsiam', projection: heads.projection },
    name: 'SimSiam',
  };
}

/** The learned projection to the teacher's width is linear, with a bias. */
function imitating({ options, extractor }: ExtractorRequest, { width }: Teacher): Pretext {
  const { graph, input, embedding: value, preprocessing } = extractor;
  const found = { value, pooling: 'none', width: extractor.width } as const;
  const { head, ...headed } = replaceHead(graph, found, width, { init: { seed: options.seed } });
  return {
    network: { graph: headed.graph, input, logits: headed.logits, preprocessing, head: [head.weight, head.bias] },
    embedding: headed.embedding,
    loss: { name: 'imitation', width },
    name: "Imitation of a teacher's features",
  };
}

function watchSpread({ record, onProgress }: Workshop, epoch: number, spread: number): void {
  record({ type: 'spread', stage: 'pretrain', epoch, spread });
  if (spread < COLLAPSED)
    onProgress?.({
      type: 'warning',
      message: `Epoch ${epoch}: projections differ by ${spread.toFixed(3)} of what random ones would (1), so all images look alike to the network. A smaller --lr, larger batches or milder views (--augment) are what helps.`,
    });
}

/** What a network from scratch may be shown mirrored is not known: images may be digits. */
function defaultViews(start: StartingExtractor['start']): string {
  const flips = start === 'backbone' ? '|flip' : '';
  return `randomresizedcrop(scale=0.2..1)${flips}|colorjitter|grayscale(p=0.2)`;
}
