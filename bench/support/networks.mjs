// The networks that whole steps are measured on, and the step as `gleaner train` compiles it.
import { int64, tensor } from '../../dist/core/tensor.js';
import { parsePreprocessing } from '../../dist/models/preprocessing.js';
import { buildModel } from '../../dist/models/registry.js';

/** By the name that the peers know too. */
export const NETWORKS = {
  mobilenetv2: { model: 'mobilenetv2_100', side: 224 },
  'efficientnet-lite0': { model: 'efficientnet_lite0', side: 224 },
  'resnet18-cifar-w16': { model: 'resnet18_3x3', width: 16, side: 32 },
  'resnet18-cifar-w64': { model: 'resnet18_3x3', width: 64, side: 32 },
  'convnext-atto': { model: 'convnext_atto', side: 224 },
  'vit-tiny': { model: 'vit_tiny_patch16_224', side: 224 },
  digits: { model: 'digits', side: 28 },
};

/** Which parameters are trained where not all are, by mode. */
export const PARTS = { 'last-third': /^(blocks\.[56]|conv_head|bn2|classifier)/, head: /^classifier/ };

export const preprocessingOf = (side) =>
  parsePreprocessing({ inputSize: [side, side], mean: [128, 128, 128], std: [128, 128, 128] }, 'the benchmark');

export function buildNetwork(network, classes = 10) {
  const { model, width } = NETWORKS[network];
  return buildModel(model, { classes, seed: 0, ...(width && { width }) });
}

/**
 * A step for `compileStep`: cross-entropy, SGD with momentum.
 * @param mode frozen, batch (the batch's own statistics), last-third or head
 */
export function stepOptions(network, { mode, batch, target, built = buildNetwork(network), ...more }) {
  const trained = built.parameters.filter((name) => PARTS[mode]?.test(name) ?? true);
  return {
    graph: built.graph,
    input: 'input',
    logits: 'logits',
    images: { kind: 'pixels', preprocessing: preprocessingOf(NETWORKS[network].side) },
    labels: 'indices',
    loss: { name: 'cross-entropy' },
    parameters: trained.map((name) => ({ name, group: 'all', decay: false })),
    microBatch: batch,
    batchNorm: mode === 'batch' ? 'batch' : 'frozen',
    optimizer: { name: 'sgd', momentum: 0.9 },
    target,
    ...more,
  };
}

export const targetOf = (block, choose) =>
  block > 1 ? { kind: 'blocked', block, ...(choose && { choose }) } : { kind: 'plain' };

/** Pixels and labels that are always the same. */
export function batchOf(batch, side) {
  const size = batch * side * side * 3;
  return {
    images: tensor(
      'uint8',
      [batch, side, side, 3],
      Uint8Array.from({ length: size }, (_, i) => (i * 7919) % 256),
    ),
    labels: int64(Array.from({ length: batch }, (_, i) => i % 10)),
  };
}

/** So small a rate that weights stay where they are: no overflow, no denormal gradients. */
export const RATES = { all: 1e-6 };
