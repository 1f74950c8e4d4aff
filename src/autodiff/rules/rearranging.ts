import { int64, toNumbers } from '../../core/tensor.ts';
import { attribute, GRADIENT_DOMAIN } from '../../onnx/graph.ts';
import { rule, unary, zero, type Differentiation, type RuleContext } from '../rule.ts';

/** Ops that move elements without computing: the gradient moves them back. */
export const rearranging = {
  Reshape: unary(reshapedBack),
  Flatten: unary(reshapedBack),
  Squeeze: unary(reshapedBack),
  Unsqueeze: unary(reshapedBack),
  Transpose: unary((c, x) => {
    const rank = c.rank(x);
    const perm = attribute(
      c.node,
      'perm',
      'ints',
      Array.from({ length: rank }, (_, i) => rank - 1 - i),
    );
    return c.transpose(
      c.dY,
      perm.map((_, axis) => perm.indexOf(axis)),
    );
  }),
  // The driver sums over the axes that were repeated.
  Expand: unary((c) => c.dY),
  // Each copy adds its gradient: [r0 d0, ...] -> [r0, d0, ...], summed over the r.
  Tile: unary((c, x) => {
    const shape = c.shape(x);
    const repeats = toNumbers(c.constant(1, 'repeats'));
    const split = c.reshape(
      c.dY,
      shape.flatMap((side, axis) => [repeats[axis]!, side]),
    );
    return c.reshape(
      c.reduce(
        'ReduceSum',
        split,
        shape.map((_, axis) => 2 * axis),
      ),
      shape,
    );
  }),
  Concat: rule((c) => {
    const axis = attribute(c.node, 'axis', 'int');
    let offset = 0;
    return c.node.inputs.map((input) => {
      const start = offset;
      offset += c.shape(input).at(axis)!;
      const end = offset;
      return () => c.op('Slice', [c.dY, c.ints([start]), c.ints([end]), c.ints([axis])]);
    });
  }),
  Split: unary((c) => {
    const parts = c.node.outputs.map((output, i) => c.outputGradient(i) ?? zerosOf(c, output));
    return parts.length === 1 ? parts[0]! : c.op('Concat', parts, { axis: attribute(c.node, 'axis', 'int', 0) });
  }),
  Slice: unary(sliceGradient),
  Pad: rule((c) => [
    () => padGradient(c),
    undefined,
    // The padding holds the constant: its gradient is what of dy does not reach x.
    () => c.sub(sumOfAll(c, c.dY), sumOfAll(c, padGradient(c))),
  ]),
  DepthToSpace: unary((c, x) => {
    const block = attribute(c.node, 'blocksize', 'int');
    if (attribute(c.node, 'mode', 'string', 'DCR') === 'DCR') return c.op('SpaceToDepth', [c.dY], { blocksize: block });
    // CRD: [N, C, b, b, H, W] was moved to [N, C, H, b, W, b].
    const [n, channels, h, w] = c.shape(x) as [number, number, number, number];
    const split = c.reshape(c.dY, [n, channels / (block * block), h, block, w, block]);
    return c.reshape(c.transpose(split, [0, 1, 3, 5, 2, 4]), [n, channels, h, w]);
  }),
  SpaceToDepth: unary((c) =>
    c.op('DepthToSpace', [c.dY], { blocksize: attribute(c.node, 'blocksize', 'int'), mode: 'DCR' }),
  ),
  ReverseSequence: unary((c) =>
    c.op('ReverseSequence', [c.dY, c.input(1)], {
      batch_axis: attribute(c.node, 'batch_axis', 'int', 1),
      time_axis: attribute(c.node, 'time_axis', 'int', 0),
    }),
  ),
  // The half that is kept passes.
  Trilu: unary((c) => c.op('Trilu', [c.dY, c.optional(1) ?? ''], { upper: attribute(c.node, 'upper', 'int', 1) })),
  CenterCropPad: unary(cropPadGradient),
  Shape: zero,
  Size: zero,
} satisfies Record<string, Differentiation>;

function reshapedBack(c: RuleContext, x: string): string {
  return c.reshape(c.dY, c.shape(x));
}

function zerosOf(c: RuleContext, value: string): string {
  return c.expand(c.scalar(0), c.shape(value));
}

function sumOfAll(c: RuleContext, value: string): string {
  return c.op('ReduceSum', [value], { keepdims: 0 });
}

/** For each axis of x, where a Slice starts and how it steps. */
function sliceBounds(c: RuleContext): { start: number; step: number }[] {
  const shape = c.shape(c.input(0));
  const starts = toNumbers(c.constant(1, 'starts'));
  const axes = c.optional(3) === undefined ? starts.map((_, i) => i) : toNumbers(c.constant(3, 'axes'));
  const steps = c.optional(4) === undefined ? starts.map(() => 1) : toNumbers(c.constant(4, 'steps'));
  const bounds = shape.map(() => ({ start: 0, step: 1 }));
  for (const [i, axis] of axes.entries()) {
    const at = axis < 0 ? axis + shape.length : axis;
    const side = shape[at]!;
    const start = starts[i]! < 0 ? starts[i]! + side : starts[i]!;
    const step = steps[i]!;
    bounds[at] = { start: Math.min(Math.max(start, 0), step > 0 ? side : side - 1), step };
  }
  return bounds;
}

/** dy at the places that the slice took, zeros elsewhere. */
function sliceGradient(c: RuleContext, x: string): string {
  const shape = c.shape(x);
  const taken = c.shape(c.output(0));
  const bounds = sliceBounds(c);
  let gradient = c.dY;
  // Backwards along an axis: added at its indices.
  for (const [axis, { start, step }] of bounds.entries()) {
    if (step > 0) continue;
    const indices = Array.from({ length: taken[axis]! }, (_, i) => start + i * step);
    gradient = addedAt(c, gradient, indices, axis, shape[axis]!);
  }
  const steps = bounds.map(({ step }) => Math.max(step, 1));
  gradient = spreadOut(c, gradient, steps);
  // Spread out, an axis may be longer than x: a negative pad cuts the zeros at its end.
  const before = bounds.map(({ start, step }) => (step > 0 ? start : 0));
  const sides = c.shape(gradient);
  const after = shape.map((side, axis) => side - before[axis]! - sides[axis]!);
  return padded(c, gradient, before, after);
}

/** Every element of an axis followed by step - 1 zeros: [..., d, ...] -> [..., d·step, ...]. */
function spreadOut(c: RuleContext, value: string, steps: readonly number[]): string {
  if (steps.every((step) => step === 1)) return value;
  const shape = c.shape(value);
  const apart = shape.flatMap((side, axis) => (steps[axis]! > 1 ? [side, 1] : [side]));
  const zeros = shape.flatMap((_, axis) => (steps[axis]! > 1 ? [0, steps[axis]! - 1] : [0]));
  const filled = padded(
    c,
    c.reshape(value, apart),
    zeros.map(() => 0),
    zeros,
  );
  return c.reshape(
    filled,
    shape.map((side, axis) => side * steps[axis]!),
  );
}

/** Zeros (or, where negative, cuts) before and after each axis. */
export function padded(c: RuleContext, value: string, before: readonly number[], after: readonly number[]): string {
  if ([...before, ...after].every((count) => count === 0)) return value;
  return c.op('Pad', [value, c.ints([...before, ...after])], { mode: 'constant' });
}

/** A tensor of `side` along `axis` where slice i of `value` is added at `indices[i]`. */
export function addedAt(c: RuleContext, value: string, indices: readonly number[], axis: number, side: number): string {
  const shape = c.shape(value);
  return c.op(
    'GatherGrad',
    [value, c.builder.constant(int64(indices))],
    { axis, input_shape: shape.map((length, i) => (i === axis ? side : length)) },
    GRADIENT_DOMAIN,
  );
}

function padGradient(c: RuleContext): string {
  const shape = c.shape(c.input(0));
  const rank = shape.length;
  const pads = toNumbers(c.constant(1, 'pads'));
  const axes =
    c.optional(3) === undefined
      ? shape.map((_, i) => i)
      : toNumbers(c.constant(3, 'axes')).map((axis) => (axis < 0 ? axis + rank : axis));
  const before = shape.map((_, axis) => (axes.includes(axis) ? pads[axes.indexOf(axis)]! : 0));
  const after = shape.map((_, axis) => (axes.includes(axis) ? pads[axes.length + axes.indexOf(axis)]! : 0));
  const mode = attribute(c.node, 'mode', 'string', 'constant');
  if (mode === 'constant') return padded(c, c.dY, negated(before), negated(after));
  // Every padded place is a copy of one inside: along each axis its gradient is added there.
  let gradient = c.dY;
  for (const [axis, side] of shape.entries()) {
    if (before[axis] === 0 && after[axis] === 0) continue;
    const source = Array.from({ length: before[axis]! + side + after[axis]! }, (_, i) =>
      sourceIndex(i - before[axis]!, side, mode),
    );
    gradient = addedAt(c, gradient, source, axis, side);
  }
  return gradient;
}

function negated(counts: readonly number[]): number[] {
  return counts.map((count) => (count === 0 ? 0 : -count));
}

/** Which element of an axis of `side` is seen at place `i` (may lie outside) of its padded form. */
function sourceIndex(i: number, side: number, mode: string): number {
  if (mode === 'edge') return Math.min(Math.max(i, 0), side - 1);
  if (mode === 'wrap') return ((i % side) + side) % side;
  if (side === 1) return 0;
  const period = 2 * (side - 1);
  const folded = ((i % period) + period) % period;
  return folded < side ? folded : period - folded;
}

function cropPadGradient(c: RuleContext, x: string): string {
  const [shape, target] = [c.shape(x), c.shape(c.output(0))];
  // Cropping takes from (side - target) / 2 on, padding puts the image at (target - side) / 2, both rounded down.
  const before = shape.map((side, axis) =>
    side >= target[axis]! ? Math.floor((side - target[axis]!) / 2) : -Math.floor((target[axis]! - side) / 2),
  );
  const after = shape.map((side, axis) => side - target[axis]! - before[axis]!);
  return padded(c, c.dY, before, after);
}
