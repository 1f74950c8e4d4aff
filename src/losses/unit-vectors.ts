import type { GraphBuilder } from '../onnx/builder.ts';
import { constantLike } from './targets.ts';

/** Below it a length counts as none, as in PyTorch's `normalize`. */
const SHORTEST = 1e-12;

/** Vectors along an axis, divided by their length. A vector of length 0 stays 0 and has no gradient, where PyTorch's is 1e12. */
export function unitVectors(b: GraphBuilder, x: string, axis: number): string {
  return b.op('Mul', [x, reciprocalLength(b, b.op('ReduceL2', [x, b.int([axis])], { keepdims: 1 }))]);
}

/** One over lengths that are not negative; 0, without a gradient, of those that are 0. */
export function reciprocalLength(b: GraphBuilder, lengths: string): string {
  const shortest = constantLike(b, lengths, SHORTEST);
  const isLong = b.op('CastLike', [b.op('Greater', [lengths, shortest]), lengths]);
  return b.op('Div', [isLong, b.op('Max', [lengths, shortest])]);
}
