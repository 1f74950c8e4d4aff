import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readSafetensorsFile } from '../../src/core/safetensors.ts';
import { toNumbers, type Tensor } from '../../src/core/tensor.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { loadModel } from '../../src/onnx/read.ts';
import { specialize } from '../../src/onnx/specialize.ts';

/** Networks of every kind with what PyTorch computed for them; not part of the project. */
const ZOO = new URL('../../../shared/models/zoo/', import.meta.url);
export const hasZoo = existsSync(ZOO);
export const ZOO_MODELS = [
  'byobnet_fused',
  'convnext_dynamo',
  'convnext_eval',
  'efficientnet_fused',
  'efficientnet_train',
  'mobilenetv3_fused',
  'mobilenetv3_train',
  'resnet_eval',
  'resnet_fused',
  'resnet_train',
  'vit_dynamo',
  'vit_eval',
] as const;

export interface ZooModel {
  /** Sized for the recorded batch, with inputs for images and `labels`, outputs `logits` and `loss`. */
  readonly graph: Graph;
  /** What PyTorch computed, by the names in the file. */
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly parameters: readonly string[];
  readonly feeds: ReadonlyMap<string, Tensor>;
}

export async function loadZooModel(name: string): Promise<ZooModel> {
  const file = (path: string): string => fileURLToPath(new URL(`${name}/${path}`, ZOO));
  const { tensors } = await readSafetensorsFile(file('expected.safetensors'));
  const parameters = [...tensors.keys()].flatMap((key) => (key.startsWith('grad/') ? [key.slice(5)] : []));
  const { graph } = await loadModel(file('model.onnx'));
  const input = graph.inputs[0]!.name;
  const images = tensors.get('input')!;
  const b = GraphBuilder.from(specialize(graph, { inputs: { [input]: [...images.shape] }, keep: new Set(parameters) }));
  b.input('labels', 'int64', [images.shape[0]!]);
  b.output(b.op('SoftmaxCrossEntropyLoss', ['logits', 'labels']), 'loss');
  const feeds = new Map([
    [input, images],
    ['labels', tensors.get('labels')!],
  ]);
  return { graph: b.build(), tensors, parameters, feeds };
}

export const norm = (values: readonly number[]): number => Math.sqrt(values.reduce((sum, x) => sum + x * x, 0));

/** |g - g'| / max(|g'|, floor), g' being the expected one. */
export function relativeError(found: Tensor, expected: Tensor, floor = 0): number {
  const [g, reference] = [toNumbers(found), toNumbers(expected)];
  return norm(g.map((x, i) => x - reference[i]!)) / Math.max(norm(reference), floor);
}

/** Norm of all recorded gradients together. */
export function gradientNorm({ tensors, parameters }: ZooModel): number {
  return norm(parameters.map((parameter) => norm(toNumbers(tensors.get(`grad/${parameter}`)!))));
}
