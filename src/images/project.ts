import { gather, indices } from './gather.ts';
import type { Kernels } from './kernels.ts';
import { multiply, scaling, transform, translation, type Matrix3 } from './matrix.ts';
import type { Box, Pixels, Rgb, Size } from './pixels.ts';
import { filterOf, type Axis } from './resample.ts';
import { surroundingsOf, type Fill, type Interpolation, type Surroundings } from './sample.ts';
import { warp, type Frame } from './warp.ts';

/** A projective map of an image, with all that decides its pixels. */
export interface Projection {
  /** From a point of the result to one of the source. Pixel (x, y) has its centre at (x + 0.5, y + 0.5). */
  readonly matrix: Matrix3;
  /** Of the result. */
  readonly size: Size;
  readonly interpolation: Interpolation;
  readonly antialias: boolean;
  readonly fill: Fill;
  /** What there is of the source; the fill stands around it. */
  readonly view: Box;
  readonly frames: readonly Frame[];
}

/**
 * Does it in the way that suits the map: whole pixels are copied; what keeps rows and columns and stays in the image is
 * resampled row by row, then column by column, as Pillow does; all else is sampled point by point.
 * Where the latter shrinks by more than a quarter and `antialias` is asked for, the source is first resampled to about the
 * scale of the result.
 */
export function project(kernels: Kernels, image: Pixels, projection: Projection): Pixels {
  const { size, interpolation, antialias, view } = projection;
  let source = kernels.take(image, view);
  let matrix = snapped(multiply(translation(-view.left, -view.top), projection.matrix));
  const around = surroundingsOf(projection.fill, source, kernels.channelSums);
  const frames = projection.frames.map((frame) => ({ ...frame, matrix: snapped(frame.matrix) }));
  const axes = axesOf(matrix);
  const areStraight = axes !== undefined && frames.every((frame) => isAxisAligned(frame.matrix));
  if (areStraight && (interpolation === 'nearest' || isCopy(matrix))) {
    const result = kernels.buffer(size, source);
    copy(source, axes, frames, around, result);
    return result;
  }
  if (axes !== undefined && frames.length === 0 && interpolation !== 'nearest' && staysWithin(axes, source, size)) {
    const { swapped, x, y } = axes;
    const upright = swapped ? { width: size.height, height: size.width } : size;
    const between = kernels.buffer({ width: upright.width, height: source.height }, source);
    const result = kernels.buffer(upright, source, between);
    const across: Axis = { from: source.width, to: upright.width, ...x };
    const down: Axis = { from: source.height, to: upright.height, ...y };
    kernels.resample(
      source,
      filterOf(across, interpolation, antialias),
      filterOf(down, interpolation, antialias),
      between,
      result,
    );
    return swapped ? transposed(kernels, result) : result;
  }
  if (antialias && interpolation !== 'nearest')
    ({ source, matrix } = shrunken(kernels, source, matrix, size, interpolation));
  const result = kernels.buffer(size, source);
  warp(source, { matrix, interpolation, around, frames }, result, kernels);
  return result;
}

/** Whether pixels are moved as they are: turned by quarters, mirrored, shifted by whole pixels. */
export function isCopy(matrix: Matrix3): boolean {
  const [a, b, c, d, e, f] = snapped(matrix);
  if (axesOf(matrix) === undefined || !Number.isInteger(c) || !Number.isInteger(f)) return false;
  return [a, b, d, e].every((entry) => entry === 0 || Math.abs(entry) === 1);
}

/** Whether rows stay rows, or all become columns. */
export function isAxisAligned(matrix: Matrix3): boolean {
  return axesOf(matrix) !== undefined;
}

/** Products of matrices are a little off whole numbers. */
function snapped(matrix: Matrix3): Matrix3 {
  return matrix.map((entry) => {
    const whole = Math.round(entry);
    return Math.abs(entry - whole) < 1e-9 ? whole : entry;
  }) as unknown as Matrix3;
}

interface Axes {
  /** Whether rows of the result are columns of the source. */
  readonly swapped: boolean;
  /** Of the source's x: `offset + scale * (i + 0.5)` at column i of the result, or row i where they are swapped. */
  readonly x: { readonly scale: number; readonly offset: number };
  readonly y: { readonly scale: number; readonly offset: number };
}

function axesOf(matrix: Matrix3): Axes | undefined {
  const [a, b, c, d, e, f, g, h, i] = snapped(matrix);
  if (g !== 0 || h !== 0 || i !== 1) return undefined;
  if (b === 0 && d === 0) return { swapped: false, x: { scale: a, offset: c }, y: { scale: e, offset: f } };
  if (a === 0 && e === 0) return { swapped: true, x: { scale: b, offset: c }, y: { scale: d, offset: f } };
  return undefined;
}

function staysWithin({ swapped, x, y }: Axes, source: Size, size: Size): boolean {
  const isWithin = ({ scale, offset }: Axes['x'], count: number, side: number): boolean =>
    [offset, offset + scale * count].every((at) => at >= -1e-6 && at <= side + 1e-6);
  const [columns, rows] = swapped ? [size.height, size.width] : [size.width, size.height];
  return isWithin(x, columns, source.width) && isWithin(y, rows, source.height);
}

function copy(
  source: Pixels,
  { swapped, x, y }: Axes,
  frames: readonly Frame[],
  around: Surroundings,
  into: Pixels,
): void {
  const { width, height } = into;
  // Between two pixels the later one is taken, whether it mirrors or not.
  const along = ({ scale, offset }: Axes['x']) => {
    return (i: number): number => Math.floor(offset + scale * (i + 0.5) + Math.sign(scale) * 1e-9);
  };
  const xs = indices(swapped ? height : width, source.width, around, along(x));
  const ys = indices(swapped ? width : height, source.height, around, along(y));
  const [byColumn, byRow] = swapped ? [ys, xs] : [xs, ys];
  for (const { matrix, size } of frames) {
    const through = axesOf(matrix)!;
    for (const [axis, side, isByRow] of [
      [through.x, size.width, through.swapped],
      [through.y, size.height, !through.swapped],
    ] as const) {
      const indexAt = along(axis);
      const list = isByRow ? byRow : byColumn;
      for (let i = 0; i < list.length; i++) if (indexAt(i) < 0 || indexAt(i) >= side) list[i] = -1;
    }
  }
  gather(source, xs, ys, swapped, typeof around === 'string' ? BLACK : around, into);
}

const BLACK: Rgb = [0, 0, 0];

function transposed(kernels: Kernels, source: Pixels): Pixels {
  const into = kernels.buffer({ width: source.height, height: source.width }, source);
  const xs = Int32Array.from({ length: source.width }, (_, i) => i);
  const ys = Int32Array.from({ length: source.height }, (_, i) => i);
  gather(source, xs, ys, true, BLACK, into);
  return into;
}

/** Less shrinking needs no averages: two neighbours see almost all pixels. */
const LEAST_SHRINKING = 1.25;

/** The part of a source that is needed, at about the scale of the result, with the map from there. */
function shrunken(
  kernels: Kernels,
  source: Pixels,
  matrix: Matrix3,
  size: Size,
  interpolation: 'bilinear' | 'bicubic',
): { source: Pixels; matrix: Matrix3 } {
  const [x, y] = shrinkingAt(matrix, size);
  if (x <= LEAST_SHRINKING && y <= LEAST_SHRINKING) return { source, matrix };
  const box = neededBox(source, matrix, size, 3 * Math.max(x, y, 1));
  const width = x <= LEAST_SHRINKING ? box.width : Math.max(1, Math.round(box.width / x));
  const height = y <= LEAST_SHRINKING ? box.height : Math.max(1, Math.round(box.height / y));
  const part = kernels.take(source, box);
  const between = kernels.buffer({ width, height: box.height }, part);
  const result = kernels.buffer({ width, height }, part, between);
  kernels.resample(
    part,
    filterOf({ from: box.width, to: width, scale: box.width / width, offset: 0 }, interpolation, true),
    filterOf({ from: box.height, to: height, scale: box.height / height, offset: 0 }, interpolation, true),
    between,
    result,
  );
  const onto = multiply(scaling(width / box.width, height / box.height), translation(-box.left, -box.top));
  return { source: result, matrix: multiply(onto, matrix) };
}

/**
 * Source pixels for one of the result along x and along y, at the result's centre. Their product is the area; what only
 * slants or turns shrinks nothing.
 */
function shrinkingAt(matrix: Matrix3, { width, height }: Size): [x: number, y: number] {
  const [a, b, , d, e, , g, h] = matrix;
  const [cx, cy] = [width / 2, height / 2];
  const [x, y] = transform(matrix, cx, cy);
  const w = g * cx + h * cy + matrix[8];
  const [xx, xy, yx, yy] = [(a - g * x) / w, (b - h * x) / w, (d - g * y) / w, (e - h * y) / w];
  const [alongX, alongY] = [Math.hypot(xx, xy), Math.hypot(yx, yy)];
  const share = Math.sqrt(Math.abs(xx * yy - xy * yx) / (alongX * alongY));
  return [alongX * share, alongY * share];
}

function neededBox(source: Size, matrix: Matrix3, { width, height }: Size, margin: number): Box {
  if (matrix[6] !== 0 || matrix[7] !== 0) return { left: 0, top: 0, width: source.width, height: source.height };
  const corners = [
    [0, 0],
    [width, 0],
    [0, height],
    [width, height],
  ].map(([x, y]) => transform(matrix, x!, y!));
  const side = (values: readonly number[], length: number): [number, number] => {
    const from = Math.min(length - 1, Math.max(0, Math.floor(Math.min(...values) - margin)));
    return [from, Math.max(1, Math.min(length, Math.ceil(Math.max(...values) + margin)) - from)];
  };
  const [left, across] = side(
    corners.map(([x]) => x),
    source.width,
  );
  const [top, down] = side(
    corners.map(([, y]) => y),
    source.height,
  );
  return { left, top, width: across, height: down };
}
