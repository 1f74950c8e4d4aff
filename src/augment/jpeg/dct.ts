/**
 * The cosine transform of 8 by 8 values in fixed point, rounded wherever libjpeg's default ("islow") rounds: the results are the same to the bit. Both
 * are the matrix of the transform (Loeffler, Ligtenberg and Moschytz, 1989) written out; its weights are libjpeg's sums of constants of 13 binary
 * places, so that some that would be equal differ in the last place.
 */
const PLACES = 13;
/** Binary places that are kept between the two passes. */
const BETWEEN = 2;

/** Into coefficients, in place; 8 times those of the orthonormal transform. */
export function forwardDct(block: Int32Array): void {
  for (let row = 0; row < 64; row += 8) forwardLine(block, row, 1, PLACES - BETWEEN);
  for (let column = 0; column < 8; column++) forwardLine(block, column, 8, PLACES + BETWEEN);
}

/** From coefficients of the orthonormal transform, in place. */
export function inverseDct(block: Int32Array): void {
  for (let column = 0; column < 8; column++) inverseLine(block, column, 8, PLACES - BETWEEN);
  for (let row = 0; row < 64; row += 8) inverseLine(block, row, 1, PLACES + BETWEEN + 3);
}

/** @param shift binary places that are rounded away */
function forwardLine(block: Int32Array, at: number, step: number, shift: number): void {
  const i1 = at + step;
  const i2 = i1 + step;
  const i3 = i2 + step;
  const i4 = i3 + step;
  const i5 = i4 + step;
  const i6 = i5 + step;
  const i7 = i6 + step;
  const d0 = block[at]! - block[i7]!;
  const d1 = block[i1]! - block[i6]!;
  const d2 = block[i2]! - block[i5]!;
  const d3 = block[i3]! - block[i4]!;
  const outer = block[at]! + block[i7]!;
  const inner = block[i3]! + block[i4]!;
  const left = block[i1]! + block[i6]!;
  const right = block[i2]! + block[i5]!;
  const e0 = outer - inner;
  const e1 = left - right;
  const sum = outer + inner;
  const middle = left + right;
  const half = 1 << (shift - 1);
  block[at] = (((sum + middle) << PLACES) + half) >> shift;
  block[i4] = (((sum - middle) << PLACES) + half) >> shift;
  block[i2] = (Math.imul(10_703, e0) + Math.imul(4433, e1) + half) >> shift;
  block[i6] = (Math.imul(4433, e0) - Math.imul(10_704, e1) + half) >> shift;
  block[i1] = (Math.imul(11_363, d0) + Math.imul(9633, d1) + Math.imul(6437, d2) + Math.imul(2260, d3) + half) >> shift;
  block[i3] = (Math.imul(9633, d0) - Math.imul(2259, d1) - Math.imul(11_362, d2) - Math.imul(6436, d3) + half) >> shift;
  block[i5] = (Math.imul(6437, d0) - Math.imul(11_362, d1) + Math.imul(2261, d2) + Math.imul(9633, d3) + half) >> shift;
  block[i7] = (Math.imul(2260, d0) - Math.imul(6436, d1) + Math.imul(9633, d2) - Math.imul(11_363, d3) + half) >> shift;
}

function inverseLine(block: Int32Array, at: number, step: number, shift: number): void {
  const i1 = at + step;
  const i2 = i1 + step;
  const i3 = i2 + step;
  const i4 = i3 + step;
  const i5 = i4 + step;
  const i6 = i5 + step;
  const i7 = i6 + step;
  const x1 = block[i1]!;
  const x3 = block[i3]!;
  const x5 = block[i5]!;
  const x7 = block[i7]!;
  const half = 1 << (shift - 1);
  const sum = ((block[at]! + block[i4]!) << PLACES) + half;
  const difference = ((block[at]! - block[i4]!) << PLACES) + half;
  const outer = Math.imul(10_703, block[i2]!) + Math.imul(4433, block[i6]!);
  const inner = Math.imul(4433, block[i2]!) - Math.imul(10_704, block[i6]!);
  const o0 = Math.imul(11_363, x1) + Math.imul(9633, x3) + Math.imul(6437, x5) + Math.imul(2260, x7);
  const o1 = Math.imul(9633, x1) - Math.imul(2259, x3) - Math.imul(11_362, x5) - Math.imul(6436, x7);
  const o2 = Math.imul(6437, x1) - Math.imul(11_362, x3) + Math.imul(2261, x5) + Math.imul(9633, x7);
  const o3 = Math.imul(2260, x1) - Math.imul(6436, x3) + Math.imul(9633, x5) - Math.imul(11_363, x7);
  block[at] = (sum + outer + o0) >> shift;
  block[i7] = (sum + outer - o0) >> shift;
  block[i1] = (difference + inner + o1) >> shift;
  block[i6] = (difference + inner - o1) >> shift;
  block[i2] = (difference - inner + o2) >> shift;
  block[i5] = (difference - inner - o2) >> shift;
  block[i3] = (sum - outer + o3) >> shift;
  block[i4] = (sum - outer - o3) >> shift;
}
