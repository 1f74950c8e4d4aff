import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { timed } from '../core/profile.ts';
import { readSafetensorsFile, writeSafetensorsFile } from '../core/safetensors.ts';
import { tensor, type Tensor } from '../core/tensor.ts';
import type { Graph } from '../onnx/graph.ts';
import { FeatureCache } from './feature-cache.ts';
import type { Workshop } from './workshop.ts';
import { fitLinearProbe } from './linear-probe.ts';
import { outputsOf } from './outputs.ts';
import { foldsOf, type TrainingData } from './prepare-data.ts';
import type { ResolvedTrainOptions } from './train-options.ts';

/** Cheap on features that are there. */
const FOLDS = 5;

export interface ProbeOutcome {
  readonly weight: Tensor;
  readonly bias: Tensor;
  readonly outOfFold: Float32Array | undefined;
}

export interface FeatureExtractor {
  /** From cropped pixels to features. */
  readonly graph: Graph;
  /** What it is: network, layer and preprocessing. */
  readonly key: readonly unknown[];
}

/**
 * Features and the linear head on them; taken from the stage's folder where it was done before.
 * @param soften see `ProbeOptions`
 */
export async function probeStage(
  workshop: Workshop,
  options: ResolvedTrainOptions,
  data: Pick<TrainingData, 'classes' | 'duplicates'>,
  samples: TrainingData['train'],
  folder: string,
  extractor: FeatureExtractor,
  soften = 1,
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
  const { engine, signal, track } = workshop;
  const features = await featuresOf(workshop, extractor, samples);
  const classes = data.classes.length;
  const folds = foldsOf(samples, data, options.folds ?? FOLDS, options.seed);
  const foldOf = new Map(folds.flatMap(({ held }, fold) => held.map((sample) => [sample, fold] as const)));
  const labels = samples.map(({ label }) => label);
  const fitHead = (): ReturnType<typeof fitLinearProbe> =>
    fitLinearProbe(engine, features, labels, classes, {
      soften,
      ...(folds.length > 0 && { foldOf: samples.map((sample) => foldOf.get(sample)!) }),
      ...(signal && { signal }),
    });
  const result = await timed(track, 'fit the head', fitHead, samples.length);
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

/** Features [n, D] of samples, from the cache where they were computed before. */
export async function featuresOf(
  { engine, crops, onProgress, signal, track }: Workshop,
  { graph, key }: FeatureExtractor,
  samples: TrainingData['train'],
): Promise<Tensor> {
  const cache = await FeatureCache.open([...key, engine.version, engine.device, engine.threads]);
  const missing = samples.filter(({ contentKey }) => cache.get(contentKey) === undefined);
  if (missing.length > 0) {
    const computed = await outputsOf(engine, graph, crops, missing, { stage: 'features', onProgress, signal, track });
    await cache.add(
      missing.map(({ contentKey }) => contentKey),
      computed,
    );
  }
  const rows = samples.map(({ contentKey }) => cache.get(contentKey)!);
  const width = rows[0]!.length;
  const data = new Float32Array(rows.length * width);
  for (const [i, row] of rows.entries()) data.set(row, i * width);
  return tensor('float32', [rows.length, width], data);
}
