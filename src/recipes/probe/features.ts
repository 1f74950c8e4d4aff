import { tensor, type Tensor } from '../../core/tensor.ts';
import type { Sample } from '../../datasets/dataset.ts';
import type { FeaturePart } from '../../models/embedding.ts';
import type { Graph } from '../../onnx/graph.ts';
import { FeatureCache } from './feature-cache.ts';
import { outputsOf } from '../results/outputs.ts';
import type { Workshop } from '../workshop/workshop.ts';

/** What of a workshop running a network over images needs. */
export type ImageWork = Pick<Workshop, 'engine' | 'crops' | 'onProgress' | 'signal' | 'track'>;

export interface FeatureExtractor {
  /** From cropped pixels to features. */
  readonly graph: Graph;
  /** What it is: network, layer and preprocessing. */
  readonly key: readonly unknown[];
  /** What the features are made of, where that is several. */
  readonly parts?: readonly FeaturePart[] | undefined;
}

/** Features [n, D] of samples, from the cache where they were computed before. */
export async function featuresOf(
  { engine, crops, onProgress, signal, track }: ImageWork,
  { graph, key }: FeatureExtractor,
  samples: readonly Sample[],
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

/** Some rows [n, D] of features [N, D], in the order given. */
export function rowsOf(features: Tensor, places: readonly number[]): Tensor {
  const width = features.shape[1]!;
  const data = new Float32Array(places.length * width);
  for (const [to, from] of places.entries())
    data.set((features.data as Float32Array).subarray(from * width, (from + 1) * width), to * width);
  return tensor('float32', [places.length, width], data);
}
