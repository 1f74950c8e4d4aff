/** cos(k pi / 16) / 2: of an orthonormal transform of 8 values. */
const [C1, C2, C3, C4, C5, C6, C7] = [1, 2, 3, 4, 5, 6, 7].map((k) => Math.cos((k * Math.PI) / 16) / 2) as [
  number,
  number,
  number,
  number,
  number,
  number,
  number,
];

/** The two-dimensional cosine transform (DCT-II, orthonormal) of [8, 8] values, in place. */
export function forwardDct(block: Float64Array): void {
  for (let row = 0; row < 64; row += 8) forwardLine(block, row, 1);
  for (let column = 0; column < 8; column++) forwardLine(block, column, 8);
}

/** Its inverse. */
export function inverseDct(block: Float64Array): void {
  for (let column = 0; column < 8; column++) inverseLine(block, column, 8);
  for (let row = 0; row < 64; row += 8) inverseLine(block, row, 1);
}

function forwardLine(block: Float64Array, at: number, step: number): void {
  const [i1, i2, i3, i4] = [at + step, at + 2 * step, at + 3 * step, at + 4 * step];
  const [i5, i6, i7] = [at + 5 * step, at + 6 * step, at + 7 * step];
  const s0 = block[at]! + block[i7]!;
  const s1 = block[i1]! + block[i6]!;
  const s2 = block[i2]! + block[i5]!;
  const s3 = block[i3]! + block[i4]!;
  const d0 = block[at]! - block[i7]!;
  const d1 = block[i1]! - block[i6]!;
  const d2 = block[i2]! - block[i5]!;
  const d3 = block[i3]! - block[i4]!;
  block[at] = C4 * (s0 + s3 + s1 + s2);
  block[i4] = C4 * (s0 + s3 - s1 - s2);
  block[i2] = C2 * (s0 - s3) + C6 * (s1 - s2);
  block[i6] = C6 * (s0 - s3) - C2 * (s1 - s2);
  block[i1] = C1 * d0 + C3 * d1 + C5 * d2 + C7 * d3;
  block[i3] = C3 * d0 - C7 * d1 - C1 * d2 - C5 * d3;
  block[i5] = C5 * d0 - C1 * d1 + C7 * d2 + C3 * d3;
  block[i7] = C7 * d0 - C5 * d1 + C3 * d2 - C1 * d3;
}

function inverseLine(block: Float64Array, at: number, step: number): void {
  const [i1, i2, i3, i4] = [at + step, at + 2 * step, at + 3 * step, at + 4 * step];
  const [i5, i6, i7] = [at + 5 * step, at + 6 * step, at + 7 * step];
  const [x1, x3, x5, x7] = [block[i1]!, block[i3]!, block[i5]!, block[i7]!];
  const sum = C4 * (block[at]! + block[i4]!);
  const difference = C4 * (block[at]! - block[i4]!);
  const outer = C2 * block[i2]! + C6 * block[i6]!;
  const inner = C6 * block[i2]! - C2 * block[i6]!;
  const e0 = sum + outer;
  const e3 = sum - outer;
  const e1 = difference + inner;
  const e2 = difference - inner;
  const o0 = C1 * x1 + C3 * x3 + C5 * x5 + C7 * x7;
  const o1 = C3 * x1 - C7 * x3 - C1 * x5 - C5 * x7;
  const o2 = C5 * x1 - C1 * x3 + C7 * x5 + C3 * x7;
  const o3 = C7 * x1 - C5 * x3 + C3 * x5 - C1 * x7;
  block[at] = e0 + o0;
  block[i7] = e0 - o0;
  block[i1] = e1 + o1;
  block[i6] = e1 - o1;
  block[i2] = e2 + o2;
  block[i5] = e2 - o2;
  block[i3] = e3 + o3;
  block[i4] = e3 - o3;
}
