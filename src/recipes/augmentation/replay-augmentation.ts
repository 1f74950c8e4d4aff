import { CropCache } from '../../batches/crop-cache.ts';
import { EvaluationCrops } from '../../batches/evaluation-crops.ts';
import { ImagePool } from '../../batches/image-pool.ts';
import { TrainingBatches } from '../../batches/training-batches.ts';
import { InputError, suggestion } from '../../core/errors.ts';
import type { Pixels } from '../../images/pixels.ts';
import { readConfig } from '../../train/run-folder.ts';
import { viewsOf } from '../../train/step-loss.ts';
import { consistencyMethodOf, methodOf } from '../method.ts';
import { openNetwork } from '../networks/open-network.ts';
import { foldsOf, prepareData, type LabelledSample, type TrainingData } from '../prepare-data.ts';
import { refuseSelfTraining } from '../self-training/self-train-options.ts';
import type { TrainControl } from '../train-control.ts';
import { defaultFolds } from '../training/train-network.ts';
import { preprocessingIn } from '../training/smaller-images.ts';
import { resolveTrainOptions } from '../train-options.ts';
import { planTraining } from '../training/training-plan.ts';
import { imagesOfStep } from '../training/training-steps.ts';

export interface ReplayOptions {
  /** Counted from 1. */
  readonly epoch: number;
  /** `finetune`, `scratch` or `fold-K`; default the one that trained the model. */
  readonly stage?: string;
  /** Decoding threads; the pixels do not depend on them. */
  readonly threads?: number;
}

/** A training image as the network saw it. */
export interface ReplayedImage {
  readonly id: string;
  readonly epoch: number;
  /** Counted from 1. */
  readonly step: number;
  /** Of three, where training compared views: 0 is without `augmix`, 1 and 2 are with it. */
  readonly view?: number;
  readonly pixels: Pixels;
  /** What it is made of: one image, or several where images are mixed. */
  readonly sources: readonly { readonly id: string; readonly share: number }[];
  /** The label that it was trained with: the share of each class in it. */
  readonly labels: readonly { readonly className: string; readonly share: number }[];
}

/**
 * Makes training images of a run again, from seed, stage, epoch and id: exactly the pixels that the network saw. An image
 * that stands several times in the epoch comes several times, and every view of it that training compared.
 * @param id the image, as the run's data names it: its path in the data folder
 * @throws InputError where run, stage, epoch or image do not exist, or the data changed
 */
export async function replayAugmentation(
  run: string,
  id: string,
  { epoch, stage, threads }: ReplayOptions,
  control: TrainControl = {},
): Promise<ReplayedImage[]> {
  const config = await readConfig(run);
  if (config['teaching'] !== undefined)
    throw new InputError(
      `The run in ${run} is a distillation: its images are drawn for teacher and student, and not made again here.`,
    );
  refuseSelfTraining(config, run, 'images of runs of train alone can be made again');
  const options = resolveTrainOptions(config['options'], `config.json of ${run}`);
  const method = methodOf(options);
  if (consistencyMethodOf(options) !== undefined)
    throw new InputError(`The run in ${run} trained with ${options.method}, whose images are not made again.`);
  if (method === 'probe') throw new InputError(`The run in ${run} trained on features computed once an image.`);
  const quiet = { ...(control.signal && { signal: control.signal }) };
  const data = await prepareData(options, quiet);
  if (data.dataset.fingerprint !== config.dataFingerprint)
    throw new InputError(`The data changed since the run in ${run}: its images can't be made again.`);
  const name = stage ?? method;
  const samples = samplesOf(name, method, data, options);
  const plan = planTraining(options, method, data.train.length);
  if (!Number.isInteger(epoch) || epoch < 1 || epoch > plan.epochs)
    throw new InputError(`The run has epochs 1 to ${plan.epochs}, got ${epoch}.`);
  const opened = await openNetwork(options, method, data, quiet);
  const preprocessing = preprocessingIn(epoch, opened.preprocessing, plan.epochs, options);
  const views = viewsOf(options);
  await using pool = await ImagePool.start(preprocessing, {
    maxPixels: options.maxPixels * 1e6,
    ...(threads !== undefined && { threads }),
  });
  const batches = new TrainingBatches(pool, new EvaluationCrops(pool, new CropCache(preprocessing)), {
    items: samples.map((sample) => ({ ...sample, target: sample.label })),
    batchSize: imagesOfStep(plan, options, samples.length),
    policy: plan.augment,
    views,
    classes: data.classes,
    epochs: plan.epochs,
    seed: options.seed,
    stage: name,
  });
  const known = samples.map((sample) => sample.id);
  if (!known.includes(id))
    throw new InputError(
      `"${id}" is not one of the ${known.length} training images of stage ${name}${suggestion(id, known)}.`,
    );
  const [height, width] = preprocessing.inputSize;
  const bytes = width * height * 3;
  const found = await batches.replay(epoch, id);
  return found.flatMap(({ step, places, batch }) =>
    places.flatMap((place) => {
      const { sources, shares } = batch.mixed?.[place] ?? { sources: [place], shares: [1] };
      const classOf = (at: number): string => data.classes[samples[known.indexOf(batch.ids[at]!)]!.label]!;
      const labels = new Map<string, number>();
      for (const [i, at] of sources.entries()) labels.set(classOf(at), (labels.get(classOf(at)) ?? 0) + shares[i]!);
      return Array.from({ length: views }, (_, view): ReplayedImage => {
        const at = (place * views + view) * bytes;
        return {
          id,
          epoch,
          step: step + 1,
          ...(views > 1 && { view }),
          pixels: { width, height, data: (batch.images.data as Uint8Array).slice(at, at + bytes) },
          sources: sources.map((source, i) => ({ id: batch.ids[source]!, share: shares[i]! })),
          labels: [...labels].map(([className, share]) => ({ className, share })),
        };
      });
    }),
  );
}

/** The images that a stage trains on. */
function samplesOf(
  stage: string,
  method: 'finetune' | 'scratch',
  data: TrainingData,
  options: ReturnType<typeof resolveTrainOptions>,
): readonly LabelledSample[] {
  if (stage === method) return data.train;
  const folds = foldsOf(data.train, data, options.folds ?? defaultFolds(method, data), options.seed);
  const fold = /^fold-(\d+)$/.exec(stage);
  const found = fold === null ? undefined : folds[Number(fold[1]) - 1];
  if (found === undefined || data.validation.length > 0)
    throw new InputError(
      `The run has no stage "${stage}"; it has ${[method, ...(data.validation.length > 0 ? [] : folds.map((_, i) => `fold-${i + 1}`))].join(', ')}.`,
    );
  return found.train;
}
