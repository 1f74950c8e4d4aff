import { fromNumbers } from '../core/tensor.ts';
import type { GraphBuilder } from '../onnx/builder.ts';

/**
 * Labels as they come in: class indices, int64 [N], or a distribution over classes a sample (mixed images,
 * pseudo-labels, a teacher), float32 [N, K].
 */
export interface Targets {
  /** Value of shape [N, K], of the logits' type. */
  readonly value: string;
  /** Whether the labels were class indices. */
  readonly fromIndices: boolean;
}

/** @throws TypeError where logits and labels do not fit each other; the message says what came. */
export function targets(b: GraphBuilder, logits: string, labels: string): Targets {
  const { dtype } = b.type(logits);
  const [n, classes] = logitsShape(b, logits);
  const given = b.type(labels);
  if (given.dtype === 'int64' && given.shape?.length === 1 && given.shape[0] === n) {
    const offOn = b.constant(fromNumbers(dtype, [2], [0, 1]));
    return { value: b.op('OneHot', [labels, b.int(classes), offOn], { axis: 1 }), fromIndices: true };
  }
  if (given.dtype === dtype && given.shape?.length === 2 && given.shape[0] === n && given.shape[1] === classes)
    return { value: labels, fromIndices: false };
  throw new TypeError(
    `Labels for logits of shape [${n}, ${classes}] must be int64 [${n}] or ${dtype} [${n}, ${classes}], ` +
      `got ${given.dtype} [${given.shape ?? '?'}].`,
  );
}

/** [N, K], both known. @throws TypeError for logits of another rank. */
export function logitsShape(b: GraphBuilder, logits: string): [number, number] {
  const shape = b.shape(logits);
  if (shape.length !== 2) throw new TypeError(`Logits must have shape [N, K], got [${shape}].`);
  return shape as [number, number];
}

/** A float constant of the logits' type: a scalar from a number, a row [1, K] from a list. */
export function constantLike(b: GraphBuilder, logits: string, value: number | readonly number[]): string {
  const { dtype } = b.type(logits);
  return typeof value === 'number'
    ? b.constant(fromNumbers(dtype, [], [value]))
    : b.constant(fromNumbers(dtype, [1, value.length], value));
}

/** (1 - s) t + s / K of targets [N, K], s being `smoothing`. @throws RangeError outside 0 <= s < 1 */
export function smoothed(b: GraphBuilder, logits: string, target: string, smoothing: number): string {
  checkSmoothing(smoothing);
  if (smoothing === 0) return target;
  const [, classes] = logitsShape(b, logits);
  const kept = b.op('Mul', [target, constantLike(b, logits, 1 - smoothing)]);
  return b.op('Add', [kept, constantLike(b, logits, smoothing / classes)]);
}

/** @throws RangeError unless there is one finite weight a class, none negative. */
export function checkClassWeights(weights: readonly number[], classes: number): void {
  if (weights.length !== classes)
    throw new RangeError(`Class weights: expected ${classes} (one a class), got ${weights.length}.`);
  const bad = weights.find((weight) => !(weight >= 0 && Number.isFinite(weight)));
  if (bad !== undefined) throw new RangeError(`Class weights must be finite and not negative, got ${bad}.`);
}

/** @throws RangeError outside 0 <= smoothing < 1. */
function checkSmoothing(smoothing: number): void {
  if (!(smoothing >= 0 && smoothing < 1))
    throw new RangeError(`Label smoothing must be at least 0 and below 1, got ${smoothing}.`);
}
