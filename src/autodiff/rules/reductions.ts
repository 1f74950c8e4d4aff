import { fromNumbers, toNumbers } from '../../core/tensor.ts';
import { attribute, GRADIENT_DOMAIN } from '../../onnx/graph.ts';
import { decomposed, unary, zero, type Differentiation, type OpContext, type RuleContext } from '../rule.ts';

/** Reductions over `axes` (an input since opset 18). Below, dy and y stand for themselves spread over the reduced axes. */
export const reductions = {
  // d Σx = Σ dx
  ReduceSum: unary((c, x) => c.expand(spread(c, c.dY), c.shape(x))),
  // d mean(x) = Σ dx / n
  ReduceMean: unary((c, x) => {
    const shape = c.shape(x);
    const axes = reducedAxes(c);
    const dY = spread(c, c.dY);
    // The mean over all of an image is a global average pool.
    if (shape.length >= 3 && axes.length === shape.length - 2 && axes.every((axis) => axis >= 2))
      return c.op('GlobalAveragePoolGrad', [dY], { input_shape: shape }, GRADIENT_DOMAIN);
    return c.expand(c.scale(dY, 1 / axes.reduce((product, axis) => product * shape[axis]!, 1)), shape);
  }),
  // d Σx² = Σ 2x dx
  ReduceSumSquare: unary((c, x) => c.mul(c.scale(x, 2), spread(c, c.dY))),
  // d Σ|x| = Σ sign(x) dx
  ReduceL1: unary((c, x) => c.mul(c.op('Sign', [x]), spread(c, c.dY))),
  // d √(Σx²) = Σ x dx / y; 0 at x = 0, where y is held off zero
  ReduceL2: unary((c, x) => c.mul(x, c.div(spread(c, c.dY), c.op('Max', [spread(c, c.output(0)), c.scalar(1e-30)])))),
  // d ln(Σe^x) = Σ e^(x-y) dx
  ReduceLogSumExp: unary((c, x) => c.mul(spread(c, c.dY), c.op('Exp', [c.sub(x, spread(c, c.output(0)))]))),
  // y = ln Σx
  ReduceLogSum: decomposed((c) => [c.op('Log', [sameReduction(c, 'ReduceSum')])], { inputs: [0] }),
  // The elements that equal the largest (smallest) share dy.
  ReduceMax: unary((c, x) => extremeGradient(c, x)),
  ReduceMin: unary((c, x) => extremeGradient(c, x)),
  // d Πx = Σ (product of the others) dx, exact with zeros among x
  ReduceProd: unary((c, x) => productGradient(c, x)),
  // d of a running sum: the sum of dy that runs the other way
  CumSum: unary((c) =>
    c.op('CumSum', [c.dY, c.input(1)], {
      exclusive: attribute(c.node, 'exclusive', 'int', 0),
      reverse: 1 - attribute(c.node, 'reverse', 'int', 0),
    }),
  ),
  ArgMax: zero,
  ArgMin: zero,
} satisfies Record<string, Differentiation>;

/** The axes that a reduction sums over, none negative, ascending. */
export function reducedAxes(c: OpContext): number[] {
  const rank = c.rank(c.input(0));
  const axes = c.optional(1) === undefined ? [] : toNumbers(c.constant(1, 'axes'));
  if (axes.length === 0)
    return attribute(c.node, 'noop_with_empty_axes', 'int', 0) === 1 ? [] : Array.from({ length: rank }, (_, i) => i);
  return axes.map((axis) => (axis < 0 ? axis + rank : axis)).toSorted((a, b) => a - b);
}

/** A value of the output's shape with the reduced axes kept as 1, so that it broadcasts against the input. */
function spread(c: RuleContext, value: string): string {
  const axes = reducedAxes(c);
  return c.reshape(
    value,
    c.shape(c.input(0)).map((side, axis) => (axes.includes(axis) ? 1 : side)),
  );
}

function sameReduction(c: OpContext, opType: string): string {
  const names = ['keepdims', 'noop_with_empty_axes'];
  const kept = names.map((name) => [name, attribute(c.node, name, 'int', name === 'keepdims' ? 1 : 0)] as const);
  return c.op(opType, [...c.node.inputs], Object.fromEntries(kept));
}

function extremeGradient(c: RuleContext, x: string): string {
  const hits = c.mask('Equal', x, spread(c, c.output(0)));
  const axes = reducedAxes(c);
  const count = axes.length === 0 ? hits : c.reduce('ReduceSum', hits, axes);
  return c.mul(hits, c.div(spread(c, c.dY), count));
}

function productGradient(c: RuleContext, x: string): string {
  const shape = c.shape(x);
  const axes = reducedAxes(c);
  const others = shape.flatMap((_, axis) => (axes.includes(axis) ? [] : [axis]));
  const perm = [...others, ...axes];
  const count = axes.reduce((product, axis) => product * shape[axis]!, 1);
  const rows = others.reduce((product, axis) => product * shape[axis]!, 1);
  const flat = c.reshape(c.transpose(x, perm), [rows, 1, count]);
  // Row j of [rows, count, count] holds x with element j replaced by 1: its product is that of the others.
  const diagonal = c.builder.constant(
    fromNumbers(
      c.dtype,
      [count, count],
      Array.from({ length: count * count }, (_, i) => (i % (count + 1) === 0 ? 1 : 0)),
    ),
  );
  const rest = c.sub(c.scalar(1), diagonal);
  const product = c.op('ReduceProd', [c.add(c.mul(flat, rest), diagonal), c.ints([2])], { keepdims: 0 });
  const inverse = perm.map((_, axis) => perm.indexOf(axis));
  const unflat = c.transpose(
    c.reshape(
      product,
      perm.map((axis) => shape[axis]!),
    ),
    inverse,
  );
  return c.mul(unflat, spread(c, c.dY));
}
