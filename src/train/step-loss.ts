import type { Tensor } from '../core/tensor.ts';
import { binaryCrossEntropy } from '../losses/binary-cross-entropy.ts';
import { crossEntropy } from '../losses/cross-entropy.ts';
import type { GraphBuilder } from '../onnx/builder.ts';

/** Plain data: what `config.json` holds. */
export interface LossOptions {
  readonly name: 'cross-entropy' | 'binary-cross-entropy';
  /** Label smoothing, 0..1; default 0. */
  readonly smoothing?: number;
  /** What each class counts for. */
  readonly classWeights?: readonly number[];
}

/** The labels of a batch: class indices, int64 [N], or distributions over classes, float32 [N, K]. */
export type LabelKind = 'indices' | 'distributions';

const LOSSES = { 'cross-entropy': crossEntropy, 'binary-cross-entropy': binaryCrossEntropy } as const;

/**
 * Adds the loss of a micro-batch: the sum over its samples times the scalar `scale`, so that the sum over
 * the micro-batches of a step is the mean over its samples, whatever their weights.
 */
export function addStepLoss(
  b: GraphBuilder,
  options: LossOptions,
  values: { readonly logits: string; readonly labels: string; readonly sampleWeights?: string; readonly scale: string },
): string {
  const { logits, labels, sampleWeights, scale } = values;
  const sum = LOSSES[options.name](b, logits, labels, {
    reduction: 'sum',
    ...(options.smoothing !== undefined && { smoothing: options.smoothing }),
    ...(options.classWeights !== undefined && { classWeights: options.classWeights }),
    ...(sampleWeights !== undefined && { sampleWeights }),
  });
  return b.op('Mul', [sum, scale], {}, { name: 'loss' });
}

/**
 * What the sum of a whole step's losses is divided by: the sum of sample weights, times the weights of
 * their classes where cross-entropy has class indices (as PyTorch's mean).
 * @throws RangeError for a label outside 0..K-1, which the graph would take for no class at all.
 */
export function lossDivisor(
  options: LossOptions,
  labels: Tensor,
  classes: number,
  sampleWeights: Tensor | undefined,
): number {
  const count = labels.shape[0]!;
  const weights = sampleWeights?.data as Float32Array | undefined;
  const indices = labels.dtype === 'int64' ? (labels.data as BigInt64Array) : undefined;
  const perClass = options.name === 'cross-entropy' && indices !== undefined ? options.classWeights : undefined;
  let sum = 0;
  for (let i = 0; i < count; i++) {
    if (indices !== undefined && (indices[i]! < 0n || indices[i]! >= BigInt(classes)))
      throw new RangeError(
        `Label ${indices[i]} of sample ${i} is not one of ${classes} classes (0 to ${classes - 1}).`,
      );
    sum += (weights?.[i] ?? 1) * (perClass?.[Number(indices![i])] ?? 1);
  }
  if (!(sum > 0)) throw new RangeError(`The weights of a step's ${count} samples must sum to more than 0, got ${sum}.`);
  return sum;
}
