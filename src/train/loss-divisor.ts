import type { Tensor } from '../core/tensor.ts';

/**
 * What the sum of a whole step's losses is divided by: the sum of sample weights, times the weights of
 * their classes where there are class indices (as PyTorch's mean of cross-entropy); not of the binary one.
 * @throws RangeError for a label outside 0..K-1, which the graph would take for no class at all.
 */
export function lossDivisor(
  options: { readonly name: string; readonly classWeights?: readonly number[] },
  labels: Tensor,
  classes: number,
  sampleWeights: Tensor | undefined,
): number {
  const count = labels.shape[0]!;
  const weights = sampleWeights?.data as Float32Array | undefined;
  const indices = labels.dtype === 'int64' ? (labels.data as BigInt64Array) : undefined;
  const perClass = options.name !== 'binary-cross-entropy' && indices !== undefined ? options.classWeights : undefined;
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
