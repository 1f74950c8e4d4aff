import type { GraphBuilder } from '../onnx/builder.ts';
import { reduceLosses, type Reduction } from './reduction.ts';
import { checkClassWeights, constantLike, logitsShape, smoothed, targets } from './targets.ts';

export interface CrossEntropyOptions {
  /** Share of every target that is spread evenly over all classes, 0..1 (default 0). Szegedy et al. 2016, arXiv:1512.00567, section 7. */
  readonly smoothing?: number;
  /** What each class counts for, K of them. */
  readonly classWeights?: readonly number[];
  /** Value of shape [N]: what each sample counts for. */
  readonly sampleWeights?: string;
  /** Default `mean`. */
  readonly reduction?: Reduction;
}

/**
 * Softmax cross-entropy, l = -sum over k of w_k t_k ln softmax(z)_k with t' = (1 - s) t + s / K, through
 * log-softmax, so that no exponential overflows. As PyTorch's `cross_entropy`: with class indices the mean
 * divides by the sum of the true classes' weights, with soft labels by the number of samples.
 * @param logits value [N, K]
 * @param labels value int64 [N], or of the logits' type [N, K]
 * @returns a scalar value; [N] with reduction `none`
 * @throws TypeError, RangeError where shapes or options do not fit.
 * @example
 * const loss = crossEntropy(builder, 'logits', builder.input('labels', 'int64', [8]), { smoothing: 0.1 });
 */
export function crossEntropy(
  b: GraphBuilder,
  logits: string,
  labels: string,
  options: CrossEntropyOptions = {},
): string {
  const { smoothing = 0, classWeights, reduction = 'mean' } = options;
  const [, classes] = logitsShape(b, logits);
  const { value, fromIndices } = targets(b, logits, labels);
  let target = smoothed(b, logits, value, smoothing);
  let normalizers: string | undefined;
  if (classWeights !== undefined) {
    checkClassWeights(classWeights, classes);
    const weights = constantLike(b, logits, classWeights);
    target = b.op('Mul', [target, weights]);
    if (fromIndices) normalizers = b.op('ReduceSum', [b.op('Mul', [value, weights]), b.int([1])], { keepdims: 0 });
  }
  const logProbabilities = b.op('LogSoftmax', [logits], { axis: 1 }, { name: 'log_probabilities' });
  const products = b.op('Mul', [target, logProbabilities]);
  const losses = b.op('Neg', [b.op('ReduceSum', [products, b.int([1])], { keepdims: 0 })]);
  return reduceLosses(b, losses, reduction, options.sampleWeights, normalizers);
}
