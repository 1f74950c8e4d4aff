import { fromNumbers, sizeOf, toNumbers, type DataType, type Tensor } from '../../src/core/tensor.ts';

/**
 * A tensor of the reference interpreter: every number a float64, whatever its declared type.
 * `dtype` is kept only where it changes what an op does (integer division, casts).
 */
export interface Value {
  readonly dtype: DataType;
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

const cache = new WeakMap<Tensor, Value>();

export function fromTensor(tensor: Tensor): Value {
  let value = cache.get(tensor);
  if (value === undefined) {
    value = { dtype: tensor.dtype, shape: tensor.shape, data: Float64Array.from(toNumbers(tensor)) };
    cache.set(tensor, value);
  }
  return value;
}

/** Floating values come back as float64, others in their own type. */
export function toTensor(value: Value): Tensor {
  if (isFloat(value)) return { dtype: 'float64', shape: value.shape, data: value.data };
  return fromNumbers(value.dtype, value.shape, Array.from(value.data));
}

export function isFloat({ dtype }: Pick<Value, 'dtype'>): boolean {
  return dtype.startsWith('float') || dtype === 'bfloat16';
}

export function make(like: Pick<Value, 'dtype'>, shape: readonly number[], data?: Float64Array): Value {
  return { dtype: like.dtype, shape, data: data ?? new Float64Array(sizeOf(shape)) };
}

export function reshaped(value: Value, shape: readonly number[]): Value {
  if (sizeOf(shape) !== value.data.length) throw new RangeError(`Can not view [${value.shape}] as [${shape}].`);
  return { ...value, shape };
}

export function integers(value: Value): number[] {
  return Array.from(value.data);
}

/** Steps between neighbours along every axis of a dense row-major tensor. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = shape.map(() => 1);
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1]! * shape[axis + 1]!;
  return strides;
}

export function broadcastShape(...shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    let side = 1;
    for (const shape of shapes) {
      const own = shape[axis - rank + shape.length] ?? 1;
      if (own === 1) continue;
      if (side !== 1 && side !== own)
        throw new RangeError(`Can not broadcast ${shapes.map((s) => `[${s}]`).join(' ')}.`);
      side = own;
    }
    return side;
  });
}

/** For every element of `shape`, in order, the place in a tensor with these strides (0 where it repeats). */
export function places(shape: readonly number[], strides: readonly number[], start = 0): Int32Array {
  let result = Int32Array.of(start);
  for (const [axis, side] of shape.entries()) {
    const next = new Int32Array(result.length * side);
    let at = 0;
    for (const base of result) for (let i = 0; i < side; i++) next[at++] = base + i * strides[axis]!;
    result = next;
  }
  return result;
}

/** The places of a tensor's elements seen as `shape`, by the rules of broadcasting. */
export function broadcastPlaces(from: readonly number[], shape: readonly number[]): Int32Array {
  const own = stridesOf(from);
  const lead = shape.length - from.length;
  return places(
    shape,
    shape.map((_, axis) => (axis < lead || from[axis - lead] === 1 ? 0 : own[axis - lead]!)),
  );
}

export function broadcast(value: Value, shape: readonly number[]): Value {
  if (value.shape.length === shape.length && value.shape.every((side, axis) => side === shape[axis])) return value;
  const lead = shape.length - value.shape.length;
  const from = shape.map((_, axis) => value.shape[axis - lead] ?? 1);
  const [own, strides] = [stridesOf(from), stridesOf(shape)];
  const result = make(value, shape);
  // From here on the axes are all alike: one copy, or one number repeated.
  let same = shape.length;
  while (same > 0 && from[same - 1] === shape[same - 1]) same--;
  let single = shape.length;
  while (single > 0 && from[single - 1] === 1) single--;
  const fill = (axis: number, at: number, to: number): void => {
    const length = axis === 0 ? result.data.length : strides[axis - 1]!;
    if (axis >= single) result.data.fill(value.data[at]!, to, to + length);
    else if (axis >= same) result.data.set(value.data.subarray(at, at + length), to);
    else
      for (let i = 0; i < shape[axis]!; i++)
        fill(axis + 1, from[axis] === 1 ? at : at + i * own[axis]!, to + i * strides[axis]!);
  };
  fill(0, 0, 0);
  return result;
}

export function map(value: Value, f: (x: number) => number): Value {
  return make(
    value,
    value.shape,
    value.data.map((x) => f(x)),
  );
}

export function zip(a: Value, b: Value, f: (x: number, y: number) => number, dtype: DataType = a.dtype): Value {
  const shape = broadcastShape(a.shape, b.shape);
  const [left, right] = [broadcast(a, shape), broadcast(b, shape)];
  const data = new Float64Array(left.data.length);
  for (let i = 0; i < data.length; i++) data[i] = f(left.data[i]!, right.data[i]!);
  return { dtype, shape, data };
}

export function transposed(value: Value, perm: readonly number[]): Value {
  const strides = stridesOf(value.shape);
  const shape = perm.map((axis) => value.shape[axis]!);
  const steps = perm.map((axis) => strides[axis]!);
  const result = make(value, shape);
  const [side, step] = [shape.at(-1) ?? 1, steps.at(-1) ?? 1];
  let at = 0;
  for (const start of places(shape.slice(0, -1), steps.slice(0, -1)))
    for (let i = 0; i < side; i++) result.data[at++] = value.data[start + i * step]!;
  return result;
}

export function wrapAxis(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}

/** Folds `f` over some axes, which stay as 1. */
export function reduce(
  value: Value,
  axes: readonly number[],
  initial: number,
  f: (total: number, x: number) => number,
): Value {
  const shape = value.shape.map((side, axis) => (axes.includes(axis) ? 1 : side));
  const to = broadcastPlaces(shape, value.shape);
  const result = make(value, shape);
  result.data.fill(initial);
  for (let i = 0; i < to.length; i++) result.data[to[i]!] = f(result.data[to[i]!]!, value.data[i]!);
  return result;
}

export function sum(value: Value, axes: readonly number[]): Value {
  return reduce(value, axes, 0, (total, x) => total + x);
}

export function mean(value: Value, axes: readonly number[]): Value {
  const count = axes.reduce((product, axis) => product * value.shape[axis]!, 1);
  return map(sum(value, axes), (x) => x / count);
}

/** C[M, N] += A[M, K] B[K, N], each at an offset in its array. */
export function accumulateProduct(
  [m, n, k]: readonly [number, number, number],
  a: Float64Array,
  b: Float64Array,
  c: Float64Array,
  [atA, atB, atC]: readonly [number, number, number] = [0, 0, 0],
): void {
  for (let i = 0; i < m; i++) {
    const [row, out] = [atA + i * k, atC + i * n];
    // Four rows of B at a time: C is read and written a quarter as often.
    let p = 0;
    for (; p + 4 <= k; p += 4) {
      const [x0, x1, x2, x3] = [a[row + p]!, a[row + p + 1]!, a[row + p + 2]!, a[row + p + 3]!];
      const b0 = atB + p * n;
      const [b1, b2, b3] = [b0 + n, b0 + 2 * n, b0 + 3 * n];
      for (let j = 0; j < n; j++)
        c[out + j] = c[out + j]! + x0 * b[b0 + j]! + x1 * b[b1 + j]! + x2 * b[b2 + j]! + x3 * b[b3 + j]!;
    }
    for (; p < k; p++) {
      const x = a[row + p]!;
      const b0 = atB + p * n;
      for (let j = 0; j < n; j++) c[out + j] = c[out + j]! + x * b[b0 + j]!;
    }
  }
}
