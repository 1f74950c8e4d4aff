import { toNumbers } from '../../core/tensor.ts';
import { attribute, GRADIENT_DOMAIN, tensorAttribute } from '../../onnx/graph.ts';
import { fromNumbers } from '../../core/tensor.ts';
import { rule, unary, zero, type Differentiation, type RuleContext } from '../rule.ts';
import { padded } from './rearranging.ts';

/** Ops that read or write at indices: what was read is added back, what was overwritten gets nothing. */
export const indexing = {
  Gather: unary((c, x) => {
    const shape = c.shape(x);
    const axis = wrapped(attribute(c.node, 'axis', 'int', 0), shape.length);
    const known = c.builder.constantValue(c.input(1));
    // One known slice (a class token, one of q, k and v): zeros around it.
    if (known?.data.length === 1) {
      const index = wrapped(toNumbers(known)[0]!, shape[axis]!);
      const slice = c.reshape(
        c.dY,
        shape.map((side, i) => (i === axis ? 1 : side)),
      );
      const before = shape.map((_, i) => (i === axis ? index : 0));
      const after = shape.map((side, i) => (i === axis ? side - 1 - index : 0));
      return padded(c, slice, before, after);
    }
    return c.op('GatherGrad', [c.dY, c.input(1)], { axis, input_shape: shape }, GRADIENT_DOMAIN);
  }),
  GatherElements: unary((c, x) =>
    c.op('ScatterElements', [zerosLike(c, x), c.input(1), c.dY], {
      axis: attribute(c.node, 'axis', 'int', 0),
      reduction: 'add',
    }),
  ),
  GatherND: unary((c, x) => {
    if (attribute(c.node, 'batch_dims', 'int', 0) !== 0)
      throw c.refuse('GatherND with batch_dims other than 0 has no gradient rule');
    return c.op('ScatterND', [zerosLike(c, x), c.input(1), c.dY], { reduction: 'add' });
  }),
  ScatterElements: rule(
    (c) => {
      const axis = attribute(c.node, 'axis', 'int', 0);
      const gathered = () => c.op('GatherElements', [c.dY, c.input(1)], { axis });
      if (isAddition(c)) return [() => c.dY, undefined, gathered];
      return [
        () => c.op('ScatterElements', [c.dY, c.input(1), zerosLike(c, c.input(2))], { axis }),
        undefined,
        gathered,
      ];
    },
    { inputs: [0, 2] },
  ),
  ScatterND: rule(
    (c) => {
      const gathered = () => c.op('GatherND', [c.dY, c.input(1)]);
      if (isAddition(c)) return [() => c.dY, undefined, gathered];
      return [() => c.op('ScatterND', [c.dY, c.input(1), zerosLike(c, c.input(2))]), undefined, gathered];
    },
    { inputs: [0, 2] },
  ),
  // The values came from the indices that the op also returns.
  TopK: rule(
    (c) => [
      () =>
        c.op('ScatterElements', [zerosLike(c, c.input(0)), c.output(1), c.dY], {
          axis: attribute(c.node, 'axis', 'int', -1),
          reduction: 'add',
        }),
    ],
    { inputs: [0], outputs: 2 },
  ),
  OneHot: zero,
  NonZero: zero,
} satisfies Record<string, Differentiation>;

function isAddition(c: RuleContext): boolean {
  const reduction = attribute(c.node, 'reduction', 'string', 'none');
  if (reduction !== 'none' && reduction !== 'add')
    throw c.refuse(`reduction "${reduction}" has no gradient rule ("none" and "add" have)`);
  return reduction === 'add';
}

function wrapped(index: number, side: number): number {
  return index < 0 ? index + side : index;
}

export function zerosLike(c: RuleContext, value: string): string {
  const { dtype } = c.builder.type(value);
  return c.op('ConstantOfShape', [c.ints(c.shape(value))], { value: tensorAttribute(fromNumbers(dtype, [1], [0])) });
}
