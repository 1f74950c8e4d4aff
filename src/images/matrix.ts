import type { Size } from './pixels.ts';

/** A projective map of the plane, row by row: (x, y) goes to ((a x + b y + c) / w, (d x + e y + f) / w), w = g x + h y + i. */
export type Matrix3 = readonly [
  a: number,
  b: number,
  c: number,
  d: number,
  e: number,
  f: number,
  g: number,
  h: number,
  i: number,
];

export const IDENTITY: Matrix3 = [1, 0, 0, 0, 1, 0, 0, 0, 1];

/** First `second`, then `first`: points are columns. */
export function multiply(first: Matrix3, second: Matrix3): Matrix3 {
  const entry = (row: number, column: number): number =>
    first[row * 3]! * second[column]! +
    first[row * 3 + 1]! * second[column + 3]! +
    first[row * 3 + 2]! * second[column + 6]!;
  return [0, 1, 2].flatMap((row) => [0, 1, 2].map((column) => entry(row, column))) as unknown as Matrix3;
}

/** @throws RangeError where the map is not one to one */
export function invert(m: Matrix3): Matrix3 {
  const [a, b, c, d, e, f, g, h, i] = m;
  const [A, B, C] = [e * i - f * h, f * g - d * i, d * h - e * g];
  const determinant = a * A + b * B + c * C;
  if (!(Math.abs(determinant) > 1e-12)) throw new RangeError(`The matrix ${m.join(', ')} has no inverse.`);
  return [A, c * h - b * i, b * f - c * e, B, a * i - c * g, c * d - a * f, C, b * g - a * h, a * e - b * d].map(
    (value) => value / determinant,
  ) as unknown as Matrix3;
}

export function transform(m: Matrix3, x: number, y: number): [x: number, y: number] {
  const w = m[6] * x + m[7] * y + m[8];
  return [(m[0] * x + m[1] * y + m[2]) / w, (m[3] * x + m[4] * y + m[5]) / w];
}

export function translation(x: number, y: number): Matrix3 {
  return [1, 0, x, 0, 1, y, 0, 0, 1];
}

export function scaling(x: number, y: number): Matrix3 {
  return [x, 0, 0, 0, y, 0, 0, 0, 1];
}

/** Rows run downwards, so that a positive angle turns the y axis towards -x: counter-clockwise as one sees it. */
export function rotation(degrees: number): Matrix3 {
  const angle = (degrees * Math.PI) / 180;
  return [Math.cos(angle), Math.sin(angle), 0, -Math.sin(angle), Math.cos(angle), 0, 0, 0, 1];
}

/** (x, y) goes to (x + `x` times y, y + `y` times x). */
export function shearing(x: number, y: number): Matrix3 {
  return [1, x, 0, y, 1, 0, 0, 0, 1];
}

/** `m` with the centre of an image as its origin. */
export function aboutCentre(m: Matrix3, { width, height }: Size): Matrix3 {
  return multiply(translation(width / 2, height / 2), multiply(m, translation(-width / 2, -height / 2)));
}
