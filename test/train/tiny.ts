import { randomStream } from '../../src/core/random.ts';
import { int64, tensor } from '../../src/core/tensor.ts';
import type { BuiltModel } from '../../src/models/layers.ts';
import { buildModel } from '../../src/models/registry.ts';
import type { StepOptions } from '../../src/train/step-options.ts';
import type { BatchSource, TrainingBatch } from '../../src/train/batch-source.ts';

/** A network of six small convolutions with batch norm, and what it trains on: noise that leans by class. */

export const CLASSES = 3;
export const SIDE = 8;

export function tinyModel(dropout = 0): BuiltModel {
  return buildModel('digits', { classes: CLASSES, inputSize: SIDE, width: 4, seed: 1, dropout });
}

export function tinyStep(model: BuiltModel, changes: Partial<StepOptions> = {}): StepOptions {
  return {
    graph: model.graph,
    input: 'input',
    logits: 'logits',
    images: { kind: 'values', shape: [3, SIDE, SIDE] },
    labels: 'indices',
    loss: { name: 'cross-entropy' },
    parameters: model.parameters.map((name) => ({ name, group: 'body', decay: name.endsWith('.weight') })),
    microBatch: 4,
    batchNorm: 'frozen',
    optimizer: { name: 'sgd', momentum: 0.9, nesterov: true, weightDecay: 5e-4 },
    target: { kind: 'plain' },
    ...changes,
  };
}

export function tinyBatch(size: number, ...key: readonly (string | number)[]): TrainingBatch {
  const stream = randomStream('tiny', ...key);
  const labels = Array.from({ length: size }, () => stream.integer(CLASSES));
  const pixels = 3 * SIDE * SIDE;
  const images = Float32Array.from(
    { length: size * pixels },
    (_, i) => stream.normal() + labels[Math.floor(i / pixels)]!,
  );
  return {
    images: tensor('float32', [size, 3, SIDE, SIDE], images),
    labels: int64(labels),
    ids: labels.map((_, i) => `${key.join('-')}-${i}.png`),
  };
}

export function tinySource(
  size: number,
  stepsPerEpoch: number,
  change: (batch: TrainingBatch, epoch: number, step: number) => TrainingBatch = (batch) => batch,
): BatchSource {
  return {
    stepsPerEpoch,
    async *epoch(epoch, from) {
      for (let step = from; step < stepsPerEpoch; step++) yield change(tinyBatch(size, epoch, step), epoch, step);
    },
  };
}
