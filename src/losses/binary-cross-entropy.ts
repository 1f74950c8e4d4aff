import type { GraphBuilder } from '../onnx/builder.ts';
import { reduceLosses, type Reduction } from './reduction.ts';
import { checkClassWeights, constantLike, logitsShape, smoothed, targets } from './targets.ts';

export interface BinaryCrossEntropyOptions {
  /** Targets become (1 - s) t + s / K, as in Wightman et al. 2021 (ResNet strikes back, arXiv:2110.00476). Default 0. */
  readonly smoothing?: number;
  /** What each class counts for, K of them (PyTorch's `weight`). */
  readonly classWeights?: readonly number[];
  /** What a positive of each class counts for, K of them (PyTorch's `pos_weight`). */
  readonly positiveWeights?: readonly number[];
  /** Value of shape [N]: what each sample counts for. */
  readonly sampleWeights?: string;
  /** Default `mean`. */
  readonly reduction?: Reduction;
}

/**
 * Sigmoid cross-entropy, each class a yes-or-no question of its own; a sample's loss is the mean over its K
 * classes. l = (1 - t) z + (1 + (p - 1) t) ln(1 + e^-z), as
 * PyTorch's `binary_cross_entropy_with_logits`.
 * @param logits value [N, K]
 * @param labels value int64 [N] (one true class), or of the logits' type [N, K]
 * @returns a scalar value; [N] with reduction `none`
 * @throws TypeError, RangeError where shapes or options do not fit.
 */
export function binaryCrossEntropy(
  b: GraphBuilder,
  logits: string,
  labels: string,
  options: BinaryCrossEntropyOptions = {},
): string {
  const { smoothing = 0, classWeights, positiveWeights, reduction = 'mean' } = options;
  const [, classes] = logitsShape(b, logits);
  const { value } = targets(b, logits, labels);
  const constant = (x: number | readonly number[]): string => constantLike(b, logits, x);
  const target = smoothed(b, logits, value, smoothing);
  // The engine's Softplus never takes the exponential of a positive number; its gradient at 0 is exact, as a
  // sum of max(-z, 0) and ln(1 + e^-|z|) would not be.
  let softplus = b.op('Softplus', [b.op('Neg', [logits])]);
  if (positiveWeights !== undefined) {
    checkClassWeights(positiveWeights, classes);
    const excess = b.op('Mul', [target, constant(positiveWeights.map((weight) => weight - 1))]);
    softplus = b.op('Mul', [softplus, b.op('Add', [excess, constant(1)])]);
  }
  let losses = b.op('Add', [b.op('Mul', [b.op('Sub', [constant(1), target]), logits]), softplus]);
  if (classWeights !== undefined) {
    checkClassWeights(classWeights, classes);
    losses = b.op('Mul', [losses, constant(classWeights)]);
  }
  const each = b.op('ReduceMean', [losses, b.int([1])], { keepdims: 0 });
  return reduceLosses(b, each, reduction, options.sampleWeights, undefined);
}
