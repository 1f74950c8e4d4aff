import { attribute, type Shape, type TensorType } from '../graph.ts';
import type { InferContext, InferRule } from '../infer.ts';
import {
  constantNumbers,
  floatingAt,
  isPresent,
  lengthAt,
  normalizeAxes,
  normalizeAxis,
  typeAt,
  unknownSides,
} from './inputs.ts';

/** Reductions over axes (an input since opset 18), and the two argument searches. */

const reduce: InferRule = (c) => {
  const { dtype, shape } = typeAt(c, 0);
  return [{ dtype, shape: reduced(c, shape) }];
};

function reduced(c: InferContext, shape: Shape | undefined): Shape | undefined {
  if (shape === undefined) return undefined;
  const keep = attribute(c.node, 'keepdims', 'int', 1) === 1;
  const given = isPresent(c, 1) ? constantNumbers(c, 1) : [];
  if (given === undefined) {
    const count = lengthAt(c, 1);
    if (keep) return unknownSides(c, shape.length);
    return count === undefined || count === 0 ? undefined : unknownSides(c, shape.length - count);
  }
  if (given.length === 0 && attribute(c.node, 'noop_with_empty_axes', 'int', 0) === 1) return shape;
  const axes = given.length === 0 ? [...shape.keys()] : normalizeAxes(given, shape.length);
  return collapsed(shape, axes, keep);
}

function collapsed(shape: Shape, axes: readonly number[], keep: boolean): Shape {
  return keep ? shape.map((side, i) => (axes.includes(i) ? 1 : side)) : shape.filter((_, i) => !axes.includes(i));
}

const argument: InferRule = (c) => {
  const { shape } = typeAt(c, 0);
  if (shape === undefined) return [{ dtype: 'int64', shape }];
  const axis = normalizeAxis(attribute(c.node, 'axis', 'int', 0), shape.length);
  return [{ dtype: 'int64', shape: collapsed(shape, [axis], attribute(c.node, 'keepdims', 'int', 1) === 1) }];
};

const softmaxCrossEntropy: InferRule = (c) => {
  const { dtype, shape } = floatingAt(c, 0);
  return [lossOf(c, dtype), { dtype, shape }];
};

function lossOf(c: InferContext, dtype: TensorType['dtype']): TensorType {
  const reduction = attribute(c.node, 'reduction', 'string', 'mean');
  return { dtype, shape: reduction === 'none' ? typeAt(c, 1).shape : [] };
}

export const reductionRules: Readonly<Record<string, InferRule>> = {
  ReduceL1: reduce,
  ReduceL2: reduce,
  ReduceLogSum: reduce,
  ReduceLogSumExp: reduce,
  ReduceMax: reduce,
  ReduceMean: reduce,
  ReduceMin: reduce,
  ReduceProd: reduce,
  ReduceSum: reduce,
  ReduceSumSquare: reduce,
  ArgMax: argument,
  ArgMin: argument,
  SoftmaxCrossEntropyLoss: softmaxCrossEntropy,
  NegativeLogLikelihoodLoss: (c) => [lossOf(c, floatingAt(c, 0).dtype)],
};
