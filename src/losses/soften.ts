import type { GraphBuilder } from '../onnx/builder.ts';
import { constantLike } from './targets.ts';

/** Logits [N, K] over the temperature. @throws RangeError unless the temperature is finite and over 0. */
export function soften(b: GraphBuilder, logits: string, temperature: number): string {
  if (!(temperature > 0 && Number.isFinite(temperature)))
    throw new RangeError(`The temperature must be finite and over 0, got ${temperature}.`);
  return temperature === 1 ? logits : b.op('Mul', [logits, constantLike(b, logits, 1 / temperature)]);
}

/** KL(p || q) a sample, [N], of p and q that are the softmax of logits [N, K]. Through logarithms: nothing overflows. */
export function divergence(b: GraphBuilder, p: string, q: string): string {
  const logP = b.op('LogSoftmax', [p], { axis: 1 });
  const logQ = b.op('LogSoftmax', [q], { axis: 1 });
  const products = b.op('Mul', [b.op('Exp', [logP]), b.op('Sub', [logP, logQ])]);
  return b.op('ReduceSum', [products, b.int([1])], { keepdims: 0 });
}
