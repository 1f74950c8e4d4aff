import { attribute, type Node } from '../../../src/onnx/graph.ts';
import type { Kernel } from '../interpreter.ts';
import { integers, make, map, mean, reduce, reshaped, stridesOf, sum, wrapAxis, zip, type Value } from '../value.ts';

const reduction =
  (f: (x: Value, axes: readonly number[]) => Value): Kernel =>
  ([x, given], node) => {
    const axes = axesOf(x!, given, node);
    return [squeezed(f(x!, axes), axes, node)];
  };

function axesOf(x: Value, given: Value | undefined, node: Node): number[] {
  const axes = given === undefined ? [] : integers(given).map((axis) => wrapAxis(axis, x.shape.length));
  if (axes.length > 0) return axes;
  return attribute(node, 'noop_with_empty_axes', 'int', 0) === 1 ? [] : x.shape.map((_, axis) => axis);
}

function squeezed(value: Value, axes: readonly number[], node: Node): Value {
  if (attribute(node, 'keepdims', 'int', 1) === 1) return value;
  return reshaped(
    value,
    value.shape.filter((_, axis) => !axes.includes(axis)),
  );
}

const arg =
  (better: (x: number, best: number) => boolean): Kernel =>
  ([x], node) => {
    const axis = wrapAxis(attribute(node, 'axis', 'int', 0), x!.shape.length);
    const step = stridesOf(x!.shape)[axis]!;
    const side = x!.shape[axis]!;
    const result = make(
      { dtype: 'int64' },
      x!.shape.map((length, i) => (i === axis ? 1 : length)),
    );
    for (let i = 0; i < result.data.length; i++) {
      const start = Math.floor(i / step) * step * side + (i % step);
      let best = 0;
      for (let j = 1; j < side; j++) if (better(x!.data[start + j * step]!, x!.data[start + best * step]!)) best = j;
      result.data[i] = best;
    }
    return [squeezed(result, [axis], node)];
  };

export const reductions: Readonly<Record<string, Kernel>> = {
  ReduceSum: reduction(sum),
  ReduceMean: reduction(mean),
  ReduceSumSquare: reduction((x, axes) =>
    sum(
      map(x, (v) => v * v),
      axes,
    ),
  ),
  ReduceL1: reduction((x, axes) => sum(map(x, Math.abs), axes)),
  ReduceL2: reduction((x, axes) =>
    map(
      sum(
        map(x, (v) => v * v),
        axes,
      ),
      Math.sqrt,
    ),
  ),
  ReduceLogSum: reduction((x, axes) => map(sum(x, axes), Math.log)),
  ReduceLogSumExp: reduction((x, axes) => {
    const top = reduce(x, axes, -Infinity, Math.max);
    const total = sum(
      zip(x, top, (v, t) => Math.exp(v - t)),
      axes,
    );
    return zip(total, top, (v, t) => Math.log(v) + t);
  }),
  ReduceMax: reduction((x, axes) => reduce(x, axes, -Infinity, Math.max)),
  ReduceMin: reduction((x, axes) => reduce(x, axes, Infinity, Math.min)),
  ReduceProd: reduction((x, axes) => reduce(x, axes, 1, (a, b) => a * b)),
  ArgMax: arg((x, best) => x > best),
  ArgMin: arg((x, best) => x < best),
  CumSum: ([x, at], node) => {
    const axis = wrapAxis(at!.data[0]!, x!.shape.length);
    const step = stridesOf(x!.shape)[axis]!;
    const side = x!.shape[axis]!;
    const exclusive = attribute(node, 'exclusive', 'int', 0) === 1;
    const reverse = attribute(node, 'reverse', 'int', 0) === 1;
    const result = make(x!, x!.shape);
    for (let lane = 0; lane < x!.data.length / side; lane++) {
      const start = Math.floor(lane / step) * step * side + (lane % step);
      let total = 0;
      for (let i = 0; i < side; i++) {
        const place = start + (reverse ? side - 1 - i : i) * step;
        if (!exclusive) total += x!.data[place]!;
        result.data[place] = total;
        if (exclusive) total += x!.data[place]!;
      }
    }
    return [result];
  },
};
