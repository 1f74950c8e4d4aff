import type { Sample } from '../../datasets/dataset.ts';
import { findEmbedding } from '../../models/embedding.ts';
import { featureExtractor } from '../../models/head.ts';
import type { Preprocessing } from '../../models/preprocessing.ts';
import type { Graph } from '../../onnx/graph.ts';
import { builtInNetwork } from '../networks/built-in-network.ts';
import { givenBackbone } from '../networks/given-backbone.ts';
import { onlyInput } from '../networks/network.ts';
import type { TrainControl } from '../train-control.ts';
import type { ResolvedPretrainOptions } from './pretrain-options.ts';

/** A network that gives features. */
export interface Extractor {
  /** Ends in `embedding`, its only output. */
  readonly graph: Graph;
  readonly input: string;
  /** [N, D] */
  readonly embedding: string;
  /** D. */
  readonly width: number;
  readonly preprocessing: Preprocessing;
}

/** What pretraining starts from. */
export interface StartingExtractor extends Extractor {
  readonly start: 'scratch' | 'backbone';
}

/** @throws InputError, ModelError as `builtInNetwork` and `openBackbone` */
export async function openExtractor(
  options: ResolvedPretrainOptions,
  samples: readonly Sample[],
  control: TrainControl,
): Promise<StartingExtractor> {
  if (options.backbone !== undefined)
    return { ...(await extractorOf(options.backbone, options, control)), start: 'backbone' };
  const { model, preprocessing } = builtInNetwork(options, { train: samples }, { classes: 2 }, control.onProgress);
  const found = findEmbedding(model.graph);
  const { graph, embedding } = featureExtractor(model.graph, found);
  return { graph, embedding, input: onlyInput(graph), width: found.width, preprocessing, start: 'scratch' };
}

/** Of a pretrained network. @throws InputError, ModelError as `openBackbone` */
export async function extractorOf(
  spec: string,
  flags: Parameters<typeof givenBackbone>[1],
  control: TrainControl,
): Promise<Extractor & { readonly source: string; readonly sha256: string }> {
  const { preprocessing, input, model, embedding: found, source, sha256 } = await givenBackbone(spec, flags, control);
  const { graph, embedding } = featureExtractor(model.graph, found);
  return { graph, embedding, input, width: found.width, preprocessing, source, sha256 };
}
