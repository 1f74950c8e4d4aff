import type { Matrix3 } from './matrix.ts';
import type { Pixels, Rgb, Size } from './pixels.ts';
import { between, CUBIC, PARTS, REACH, samplePoint, type Interpolation, type Surroundings } from './sample.ts';

/** A rectangle from (0, 0) that a result is seen through: outside of it stands the colour around. */
export interface Frame {
  /** From a point of the result to one of the frame. */
  readonly matrix: Matrix3;
  readonly size: Size;
}

/** A projective map on pixels. */
export interface Projection {
  /** From a point of the result to one of the source. */
  readonly matrix: Matrix3;
  readonly interpolation: Interpolation;
  readonly around: Surroundings;
  /** Only with a colour around. */
  readonly frames: readonly Frame[];
}

/**
 * Writes the pixels from `start` up to, not including, `end` of one row, whose neighbours all lie in the source. Pixels
 * start at byte `to` of the result; pixel i comes from (x + i dx, y + i dy), counted from the centre of the source's
 * first pixel, in parts of 1 / STEPS of a pixel: whole numbers, so that it is exact however it is added up.
 */
export type BilinearRow = (
  source: Pixels,
  into: Pixels,
  to: number,
  start: number,
  end: number,
  x: number,
  dx: number,
  y: number,
  dy: number,
) => void;

/** The same for a projective map, with a denominator: pixel i comes from ((x + i dx) / w, ...), in 1/256 of a pixel. */
export type ProjectiveRow = (
  source: Pixels,
  into: Pixels,
  to: number,
  start: number,
  end: number,
  ...line: [x: number, dx: number, y: number, dy: number, w: number, dw: number]
) => void;

export const STEPS = 2 ** 32;

/** Samples a source by a projective map. Each row falls into what lies outside, near the border, and inside. */
export function warp(source: Pixels, projection: Projection, into: Pixels, rows: Rows): void {
  const { matrix, interpolation, around, frames } = projection;
  // All neighbours of a point lie inside, and none does: with a little for rounding.
  const margin = REACH[interpolation] - 0.5 + 1 / PARTS;
  const { width, height } = source;
  // Pixels are looked at without asking again where they lie.
  const flat = { width, height, data: source.data };
  const result = into.data;
  if (typeof around !== 'string') fillWith(around, result);
  for (let row = 0; row < into.height; row++) {
    const line = lineOf(matrix, row);
    const inside = within(line, width, height, margin, into.width);
    const seen =
      typeof around === 'string' ? { from: 0, to: into.width } : within(line, width, height, -margin, into.width);
    for (const frame of frames) {
      const through = lineOf(frame.matrix, row);
      meet(inside, within(through, frame.size.width, frame.size.height, margin, into.width));
      meet(seen, within(through, frame.size.width, frame.size.height, -margin, into.width));
    }
    meet(inside, seen);
    if (inside.to <= inside.from) inside.from = inside.to = seen.to;
    const to = row * into.width * 3;
    samplePixels(flat, projection, row, seen.from, inside.from, result, to);
    if (inside.from < inside.to) {
      if (interpolation === 'nearest') nearestRow(flat, result, to, inside, line);
      else if (interpolation === 'bicubic') bicubicRow(flat, result, to, inside, line);
      else bilinearPixels(source, into, to, inside, line, rows);
    }
    samplePixels(flat, projection, row, inside.to, seen.to, result, to);
  }
}

/** The loops that take most of the time. */
export interface Rows {
  readonly bilinearRow: BilinearRow;
  readonly projectiveRow: ProjectiveRow;
}

function bilinearPixels(
  source: Pixels,
  into: Pixels,
  to: number,
  { from, to: end }: Span,
  line: Line,
  rows: Rows,
): void {
  const { x, dx, y, dy, w, dw } = line;
  if (w === 1 && dw === 0) {
    const whole = (value: number): number => Math.round(value * STEPS);
    rows.bilinearRow(source, into, to, from, end, whole(x - 0.5), whole(dx), whole(y - 0.5), whole(dy));
    return;
  }
  const parts = (value: number, depth: number): number => (value - 0.5 * depth) * PARTS;
  rows.projectiveRow(source, into, to, from, end, parts(x, w), parts(dx, dw), parts(y, w), parts(dy, dw), w, dw);
}

/** Numerators and denominator of a row's source points: at pixel i, x + i dx and so on. */
interface Line {
  readonly x: number;
  readonly dx: number;
  readonly y: number;
  readonly dy: number;
  readonly w: number;
  readonly dw: number;
}

function lineOf([a, b, c, d, e, f, g, h, i]: Matrix3, row: number): Line {
  const py = row + 0.5;
  return {
    x: a * 0.5 + b * py + c,
    dx: a,
    y: d * 0.5 + e * py + f,
    dy: d,
    w: g * 0.5 + h * py + i,
    dw: g,
  };
}

interface Span {
  from: number;
  to: number;
}

/** Which pixels have their point at least `margin` within a rectangle, and before the horizon. */
function within({ x, dx, y, dy, w, dw }: Line, width: number, height: number, margin: number, count: number): Span {
  const span = { from: 0, to: count };
  cut(span, w - HORIZON, dw);
  cut(span, x - margin * w, dx - margin * dw);
  cut(span, (width - margin) * w - x, (width - margin) * dw - dx);
  cut(span, y - margin * w, dy - margin * dw);
  cut(span, (height - margin) * w - y, (height - margin) * dw - dy);
  if (span.to < span.from) span.to = span.from;
  return span;
}

const HORIZON = 1e-6;

/** Keeps the pixels i with value + i slope >= 0. */
function cut(span: Span, value: number, slope: number): void {
  if (slope > 0) span.from = Math.max(span.from, Math.ceil(-value / slope));
  else if (slope < 0) span.to = Math.min(span.to, Math.floor(value / -slope) + 1);
  else if (value < 0) span.to = span.from;
}

function meet(span: Span, other: Span): void {
  span.from = Math.max(span.from, other.from);
  span.to = Math.max(span.from, Math.min(span.to, other.to));
}

function fillWith([red, green, blue]: Rgb, result: Uint8Array): void {
  result[0] = red;
  result[1] = green;
  result[2] = blue;
  // What is filled, once more behind it.
  for (let filled = 3; filled < result.length; filled *= 2) result.copyWithin(filled, 0, filled);
}

/** Any pixels, one by one. */
function samplePixels(
  source: Pixels,
  { matrix, interpolation, around, frames }: Projection,
  row: number,
  start: number,
  end: number,
  result: Uint8Array,
  to: number,
): void {
  if (start >= end) return;
  const { x, dx, y, dy, w, dw } = lineOf(matrix, row);
  const lines =
    frames.length === 0 ? NO_LINES : frames.map((frame) => ({ ...lineOf(frame.matrix, row), size: frame.size }));
  for (let i = start; i < end; i++) {
    const at = to + i * 3;
    const depth = Math.max(w + i * dw, HORIZON);
    samplePoint(source, (x + i * dx) / depth, (y + i * dy) / depth, interpolation, around, result, at);
    let share = 1;
    for (const line of lines) {
      const frameDepth = Math.max(line.w + i * line.dw, HORIZON);
      share *=
        shareWithin((line.x + i * line.dx) / frameDepth, line.size.width, interpolation) *
        shareWithin((line.y + i * line.dy) / frameDepth, line.size.height, interpolation);
    }
    if (share === 1) continue;
    for (let c = 0; c < 3; c++) {
      const colour = (around as Rgb)[c]!;
      result[at + c] = Math.min(255, Math.max(0, Math.floor(colour + share * (result[at + c]! - colour) + 0.5)));
    }
  }
}

const NO_LINES: readonly (Line & { readonly size: Size })[] = [];

/** Sum of the weights of those neighbours that lie on a line of `side` pixels. */
function shareWithin(at: number, side: number, interpolation: Interpolation): number {
  if (interpolation === 'nearest') return at >= 0 && at < side ? 1 : 0;
  const place = at - 0.5;
  if (interpolation === 'bilinear') return Math.max(0, Math.min(1, place + 1, side - place));
  const left = Math.floor(place);
  const part = Math.floor((place - left) * PARTS) * 4;
  let share = 0;
  for (let k = 0; k < 4; k++) if (left + k - 1 >= 0 && left + k - 1 < side) share += CUBIC[part + k]!;
  return share;
}

/** The plain versions of the rows. */
export const plainRows: Rows = {
  bilinearRow: (source, into, to, start, end, x, dx, y, dy) => {
    const { data } = source;
    const result = into.data;
    const stride = source.width * 3;
    const perPart = STEPS / PARTS;
    for (let i = start, out = to + start * 3; i < end; i++, out += 3) {
      const gx = Math.floor((x + dx * i + perPart / 2) / perPart);
      const gy = Math.floor((y + dy * i + perPart / 2) / perPart);
      blend(data, stride, gx, gy, result, out);
    }
  },
  projectiveRow: (source, into, to, start, end, x, dx, y, dy, w, dw) => {
    const { data } = source;
    const result = into.data;
    const stride = source.width * 3;
    for (let i = start, out = to + start * 3; i < end; i++, out += 3) {
      const depth = w + dw * i;
      blend(data, stride, ((x + dx * i) / depth + 0.5) | 0, ((y + dy * i) / depth + 0.5) | 0, result, out);
    }
  },
};

function blend(data: Uint8Array, stride: number, gx: number, gy: number, result: Uint8Array, out: number): void {
  const fx = gx & 255;
  const fy = gy & 255;
  const at = (gy >> 8) * stride + (gx >> 8) * 3;
  const below = at + stride;
  result[out] = between(data[at]!, data[at + 3]!, data[below]!, data[below + 3]!, fx, fy);
  result[out + 1] = between(data[at + 1]!, data[at + 4]!, data[below + 1]!, data[below + 4]!, fx, fy);
  result[out + 2] = between(data[at + 2]!, data[at + 5]!, data[below + 2]!, data[below + 5]!, fx, fy);
}

function nearestRow({ width, data }: Pixels, result: Uint8Array, to: number, span: Span, line: Line): void {
  const { x, dx, y, dy, w, dw } = line;
  for (let i = span.from, out = to + i * 3; i < span.to; i++, out += 3) {
    const depth = w + dw * i;
    const at = ((((y + dy * i) / depth) | 0) * width + (((x + dx * i) / depth) | 0)) * 3;
    result[out] = data[at]!;
    result[out + 1] = data[at + 1]!;
    result[out + 2] = data[at + 2]!;
  }
}

function bicubicRow({ width, data }: Pixels, result: Uint8Array, to: number, span: Span, line: Line): void {
  const { x, dx, y, dy, w, dw } = line;
  const stride = width * 3;
  for (let i = span.from, out = to + i * 3; i < span.to; i++, out += 3) {
    const depth = w + dw * i;
    const gx = (((x + dx * i) / depth - 0.5) * PARTS + 0.5) | 0;
    const gy = (((y + dy * i) / depth - 0.5) * PARTS + 0.5) | 0;
    const wx = (gx & 255) * 4;
    const wy = (gy & 255) * 4;
    const [one, two, three, four] = [CUBIC[wx]!, CUBIC[wx + 1]!, CUBIC[wx + 2]!, CUBIC[wx + 3]!];
    for (let c = 0; c < 3; c++) {
      let sum = 0.5;
      for (let j = 0, at = ((gy >> 8) - 1) * stride + ((gx >> 8) - 1) * 3 + c; j < 4; j++, at += stride)
        sum += CUBIC[wy + j]! * (one * data[at]! + two * data[at + 3]! + three * data[at + 6]! + four * data[at + 9]!);
      result[out + c] = sum <= 0 ? 0 : sum >= 255 ? 255 : sum;
    }
  }
}

/** Samples a source at any points: [height, width, 2], as large as the result. */
export function remap(
  source: Pixels,
  points: Float32Array,
  interpolation: Interpolation,
  around: Surroundings,
  into: Pixels,
): void {
  const result = into.data;
  const flat = { width: source.width, height: source.height, data: source.data };
  for (let i = 0, out = 0; i < points.length; i += 2, out += 3)
    samplePoint(flat, points[i]!, points[i + 1]!, interpolation, around, result, out);
}
