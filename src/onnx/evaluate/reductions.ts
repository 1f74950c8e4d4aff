import { sizeOf } from '../../core/tensor.ts';
import { attribute } from '../graph.ts';
import { normalizeAxes, normalizeAxis } from '../shapes/inputs.ts';
import { fromValues, inputAt, numbersAt, shapeAt, stridesOf, walk, type Evaluation, type Kernel } from './kernel.ts';

/** Reductions and running sums. */

/** `start` is undefined where an empty reduction has no value. */
function reduction(
  join: (x: number, y: number) => number,
  start: number | undefined,
  finish: (total: number, count: number) => number = asItIs,
): Kernel {
  return (e) => {
    const input = inputAt(e, 0);
    if (input.dtype === 'float16' || input.dtype === 'bfloat16') return undefined;
    const axes = reducedAxes(e);
    if (axes === undefined) return [input];
    const count = axes.reduce((product, axis) => product * input.shape[axis]!, 1);
    if (count === 0 && start === undefined) return undefined;
    const strides = stridesOf(input.shape);
    const kept = [...input.shape.keys()].filter((axis) => !axes.includes(axis));
    const bases = walk(pick(kept, input.shape), pick(kept, strides));
    const offsets = walk(pick(axes, input.shape), pick(axes, strides));
    const values = numbersAt(e, 0);
    const results = Array.from(bases, (base) => {
      let total = start ?? values[base + offsets[0]!]!;
      for (let i = start === undefined ? 1 : 0; i < offsets.length; i++)
        total = join(total, values[base + offsets[i]!]!);
      return finish(total, count);
    });
    return [fromValues(input.dtype, shapeAt(e), results)];
  };
}

function asItIs(total: number): number {
  return total;
}

function pick(axes: readonly number[], from: readonly number[]): number[] {
  return axes.map((axis) => from[axis]!);
}

/** Undefined where nothing is reduced. */
function reducedAxes(e: Evaluation): number[] | undefined {
  const { shape } = inputAt(e, 0);
  const given = numbersAt(e, 1);
  if (given.length > 0) return normalizeAxes(given, shape.length);
  return attribute(e.node, 'noop_with_empty_axes', 'int', 0) === 1 ? undefined : [...shape.keys()];
}

const cumulative: Kernel = (e) => {
  const input = inputAt(e, 0);
  if (input.dtype === 'float16' || input.dtype === 'bfloat16') return undefined;
  const axis = normalizeAxis(numbersAt(e, 1)[0]!, input.shape.length);
  const exclusive = attribute(e.node, 'exclusive', 'int', 0) === 1;
  const reverse = attribute(e.node, 'reverse', 'int', 0) === 1;
  const inner = sizeOf(input.shape.slice(axis + 1));
  const side = input.shape[axis]!;
  const values = numbersAt(e, 0);
  const sums = values.map(() => 0);
  for (let line = 0; line < values.length / Math.max(side, 1); line++) {
    const base = Math.floor(line / inner) * side * inner + (line % inner);
    let total = 0;
    for (let i = 0; i < side; i++) {
      const at = base + (reverse ? side - 1 - i : i) * inner;
      sums[at] = exclusive ? total : total + values[at]!;
      total += values[at]!;
    }
  }
  return [fromValues(input.dtype, shapeAt(e), sums)];
};

export const reductionKernels: Readonly<Record<string, Kernel>> = {
  CumSum: cumulative,
  ReduceMax: reduction(Math.max, undefined),
  ReduceMin: reduction(Math.min, undefined),
  ReduceMean: (e) =>
    inputAt(e, 0).dtype.startsWith('float')
      ? reduction(
          (x, y) => x + y,
          0,
          (total, count) => total / count,
        )(e)
      : undefined,
  ReduceProd: reduction((x, y) => x * y, 1),
  ReduceSum: reduction((x, y) => x + y, 0),
};
