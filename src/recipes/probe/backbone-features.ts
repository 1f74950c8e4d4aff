import { CropCache } from '../../batches/crop-cache.ts';
import { EvaluationCrops } from '../../batches/evaluation-crops.ts';
import { ImagePool } from '../../batches/image-pool.ts';
import type { Tensor } from '../../core/tensor.ts';
import type { Sample } from '../../datasets/dataset.ts';
import type { Engine } from '../../runtime/engine.ts';
import { featuresOf, type FeatureExtractor } from './features.ts';
import { givenBackbone, type BackboneOptions } from '../networks/given-backbone.ts';
import { inProportion } from './linear-probe.ts';
import { featuresOnPixels } from '../networks/network.ts';
import type { TrainControl } from '../train-control.ts';
import type { Backbone } from '../../backbones/open.ts';

/** What computes a backbone's features of cropped images. */
export function featureExtractor({ model, embedding, preprocessing, sha256 }: Backbone): FeatureExtractor {
  return {
    graph: featuresOnPixels(model.graph, embedding, preprocessing),
    key: [sha256, embedding.value, embedding.pooling, preprocessing],
    parts: embedding.parts,
  };
}

/**
 * Features [n, D] of images by a backbone, cached, outside of any run; parts of them in proportion.
 * @throws InputError, ModelError as `openBackbone`; RunError for an image that can't be decoded any more
 */
export async function backboneFeatures(
  engine: Engine,
  spec: string,
  samples: readonly Sample[],
  options: BackboneOptions & { readonly maxPixels: number },
  control: TrainControl,
): Promise<Tensor> {
  const backbone = await givenBackbone(spec, options, control);
  const { preprocessing } = backbone;
  const pool = await ImagePool.start(preprocessing, { maxPixels: options.maxPixels * 1e6 });
  try {
    const crops = new EvaluationCrops(pool, new CropCache(preprocessing));
    const extractor = featureExtractor(backbone);
    return inProportion(await featuresOf({ engine, crops, ...control }, extractor, samples), extractor.parts);
  } finally {
    await pool.dispose();
  }
}
