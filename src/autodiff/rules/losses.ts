import { attribute, type Attribute } from '../../onnx/graph.ts';
import { fromNumbers } from '../../core/tensor.ts';
import { decomposed, type Differentiation, type OpContext } from '../rule.ts';

/** Losses as one op, written out before they are differentiated. */
export const losses = {
  // y = -w[label] ln p[label], summed or averaged over w
  NegativeLogLikelihoodLoss: decomposed((c) => [negativeLogLikelihood(c, c.input(0))], { inputs: [0] }),
  SoftmaxCrossEntropyLoss: decomposed(
    (c) => {
      const logProbabilities = c.op('LogSoftmax', [c.input(0)], { axis: 1 });
      return [negativeLogLikelihood(c, logProbabilities), logProbabilities];
    },
    { inputs: [0] },
  ),
} satisfies Record<string, Differentiation>;

function negativeLogLikelihood(c: OpContext, logProbabilities: string): string {
  const shape = c.shape(logProbabilities);
  const labels = c.input(1);
  const perClass = shape.map((side, axis) => (axis === 1 ? side : 1));
  let chosen = c.op('OneHot', [labels, c.builder.int(shape[1]!), offOn(c)], { axis: 1 });
  const ignore = c.node.attributes['ignore_index'];
  if (ignore !== undefined) chosen = c.mul(chosen, notIgnored(c, labels, ignore));
  const weights = c.optional(2);
  if (weights !== undefined) chosen = c.mul(chosen, c.reshape(weights, perClass));
  const each = c.op('Neg', [c.reduce('ReduceSum', c.mul(chosen, logProbabilities), [1], false)]);
  const reduction = attribute(c.node, 'reduction', 'string', 'mean');
  if (reduction === 'none') return each;
  const total = c.op('ReduceSum', [each], { keepdims: 0 });
  return reduction === 'sum' ? total : c.div(total, c.op('ReduceSum', [chosen], { keepdims: 0 }));
}

function offOn(c: OpContext): string {
  return c.builder.constant(fromNumbers(c.dtype, [2], [0, 1]));
}

function notIgnored(c: OpContext, labels: string, ignore: Attribute): string {
  const { dtype } = c.builder.type(labels);
  const index = c.builder.constant(fromNumbers(dtype, [], [ignore.value as number]));
  const kept = c.toFloat(c.op('Not', [c.op('Equal', [labels, index])]));
  return c.op('Unsqueeze', [kept, c.ints([1])]);
}
