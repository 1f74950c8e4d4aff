import { attribute } from '../../../src/onnx/graph.ts';
import type { Kernel } from '../interpreter.ts';
import { make, stridesOf, wrapAxis, type Value } from '../value.ts';

export const indexing: Readonly<Record<string, Kernel>> = {
  Gather: ([x, indices], node) => {
    const axis = wrapAxis(attribute(node, 'axis', 'int', 0), x!.shape.length);
    const side = x!.shape[axis]!;
    const inner = stridesOf(x!.shape)[axis]!;
    const outer = x!.data.length / (side * inner);
    const shape = [...x!.shape.slice(0, axis), ...indices!.shape, ...x!.shape.slice(axis + 1)];
    const result = make(x!, shape);
    let at = 0;
    for (let o = 0; o < outer; o++)
      for (const index of indices!.data)
        for (let i = 0; i < inner; i++) result.data[at++] = x!.data[(o * side + wrapAxis(index, side)) * inner + i]!;
    return [result];
  },
  GatherElements: ([x, indices], node) => {
    const result = make(x!, indices!.shape);
    const from = elementPlaces(x!, indices!, attribute(node, 'axis', 'int', 0));
    for (let i = 0; i < from.length; i++) result.data[i] = x!.data[from[i]!]!;
    return [result];
  },
  GatherND: ([x, indices]) => {
    const { starts, length, shape } = slices(x!, indices!);
    const result = make(x!, shape);
    for (const [i, start] of starts.entries()) result.data.set(x!.data.subarray(start, start + length), i * length);
    return [result];
  },
  ScatterElements: ([x, indices, updates], node) => {
    const result = make(x!, x!.shape, x!.data.slice());
    const to = elementPlaces(x!, indices!, attribute(node, 'axis', 'int', 0));
    const put = writer(attribute(node, 'reduction', 'string', 'none'));
    for (let i = 0; i < to.length; i++) result.data[to[i]!] = put(result.data[to[i]!]!, updates!.data[i]!);
    return [result];
  },
  ScatterND: ([x, indices, updates], node) => {
    const result = make(x!, x!.shape, x!.data.slice());
    const { starts, length } = slices(x!, indices!);
    const put = writer(attribute(node, 'reduction', 'string', 'none'));
    for (const [i, start] of starts.entries())
      for (let j = 0; j < length; j++)
        result.data[start + j] = put(result.data[start + j]!, updates!.data[i * length + j]!);
    return [result];
  },
  TopK: ([x, k], node) => {
    const axis = wrapAxis(attribute(node, 'axis', 'int', -1), x!.shape.length);
    const sign = attribute(node, 'largest', 'int', 1) === 1 ? -1 : 1;
    const count = k!.data[0]!;
    const side = x!.shape[axis]!;
    const inner = stridesOf(x!.shape)[axis]!;
    const shape = x!.shape.map((length, i) => (i === axis ? count : length));
    const [values, indices] = [make(x!, shape), make({ dtype: 'int64' }, shape)];
    for (let lane = 0; lane < x!.data.length / side; lane++) {
      const [outer, i] = [Math.floor(lane / inner), lane % inner];
      const order = Array.from({ length: side }, (_, j) => j).toSorted(
        (a, b) => sign * (x!.data[(outer * side + a) * inner + i]! - x!.data[(outer * side + b) * inner + i]!) || a - b,
      );
      for (let j = 0; j < count; j++) {
        values.data[(outer * count + j) * inner + i] = x!.data[(outer * side + order[j]!) * inner + i]!;
        indices.data[(outer * count + j) * inner + i] = order[j]!;
      }
    }
    return [values, indices];
  },
  OneHot: ([indices, depth, values], node) => {
    const rank = indices!.shape.length + 1;
    const axis = wrapAxis(attribute(node, 'axis', 'int', -1), rank);
    const count = depth!.data[0]!;
    const shape = [...indices!.shape.slice(0, axis), count, ...indices!.shape.slice(axis)];
    const inner = stridesOf(shape)[axis]!;
    const result = make(values!, shape);
    result.data.fill(values!.data[0]!);
    for (const [i, index] of indices!.data.entries()) {
      const at = wrapAxis(index, count);
      if (at >= 0 && at < count)
        result.data[(Math.floor(i / inner) * count + at) * inner + (i % inner)] = values!.data[1]!;
    }
    return [result];
  },
  NegativeLogLikelihoodLoss: ([x, labels, weights], node) => [
    negativeLogLikelihood(
      x!,
      labels!,
      weights,
      attribute(node, 'reduction', 'string', 'mean'),
      node.attributes['ignore_index'] && attribute(node, 'ignore_index', 'int'),
    ),
  ],
};

function writer(reduction: string): (old: number, update: number) => number {
  if (reduction === 'add') return (old, update) => old + update;
  if (reduction === 'mul') return (old, update) => old * update;
  return (_, update) => update;
}

/** Where each element of `indices` points to in x along an axis. */
function elementPlaces(x: Value, indices: Value, at: number): Int32Array {
  const axis = wrapAxis(at, x.shape.length);
  const [own, strides] = [stridesOf(indices.shape), stridesOf(x.shape)];
  return Int32Array.from(indices.data, (index, i) =>
    indices.shape.reduce((place, side, a) => {
      const here = a === axis ? wrapAxis(index, x.shape[axis]!) : Math.floor(i / own[a]!) % side;
      return place + here * strides[a]!;
    }, 0),
  );
}

/** The slices of x that the rows of `indices` point to. */
function slices(x: Value, indices: Value): { starts: number[]; length: number; shape: number[] } {
  const depth = indices.shape.at(-1)!;
  const strides = stridesOf(x.shape);
  const starts = Array.from({ length: indices.data.length / depth }, (_, row) => {
    let start = 0;
    for (let i = 0; i < depth; i++) start += wrapAxis(indices.data[row * depth + i]!, x.shape[i]!) * strides[i]!;
    return start;
  });
  const rest = x.shape.slice(depth);
  return { starts, length: rest.reduce((p, side) => p * side, 1), shape: [...indices.shape.slice(0, -1), ...rest] };
}

export function negativeLogLikelihood(
  x: Value,
  labels: Value,
  weights: Value | undefined,
  reduction: string,
  ignore: number | undefined,
): Value {
  const classes = x.shape[1]!;
  const inner = x.shape.slice(2).reduce((product, side) => product * side, 1);
  const losses = make(x, labels.shape);
  let [total, weight] = [0, 0];
  for (const [i, label] of labels.data.entries()) {
    if (label === ignore) continue;
    const w = weights?.data[label] ?? 1;
    losses.data[i] = -w * x.data[(Math.floor(i / inner) * classes + label) * inner + (i % inner)]!;
    total += losses.data[i]!;
    weight += w;
  }
  if (reduction === 'none') return losses;
  return make(x, [], Float64Array.of(reduction === 'sum' ? total : total / weight));
}
