import { DESCRIPTOR_LENGTH } from '../images/views.ts';

const HALF = DESCRIPTOR_LENGTH / 2;
/** Numbers kept of a descriptor: those that vary most over the data. */
export const CODE_LENGTH = 24;
/** Descriptors looked at for the basis. */
const MOST_SAMPLES = 4000;

/**
 * Principal components of a data set's descriptors. Even and odd parts are kept apart (a set and its mirror
 * images have no correlation between them), so that the code of a mirrored view has its odd numbers negated.
 */
export interface DescriptorBasis {
  /** [CODE_LENGTH, HALF] */
  readonly directions: Float32Array;
  /** Whether a direction is odd under mirroring; the even ones come first. */
  readonly odd: readonly boolean[];
  /** [CODE_LENGTH]: medians over the data, so that each sign splits it evenly; 0 for odd ones. */
  readonly centre: Float32Array;
}

/** @param descriptors [n, DESCRIPTOR_LENGTH] of full frames */
export function descriptorBasis(descriptors: Float32Array): DescriptorBasis {
  const count = descriptors.length / DESCRIPTOR_LENGTH;
  const stride = Math.max(1, Math.floor(count / MOST_SAMPLES));
  const parts = [0, HALF].map((from) => {
    const rows: Float32Array[] = [];
    for (let i = 0; i < count; i += stride)
      rows.push(descriptors.subarray(i * DESCRIPTOR_LENGTH + from, i * DESCRIPTOR_LENGTH + from + HALF));
    return eigenvectors(covariance(rows, from === 0)).map((pair) => ({ ...pair, odd: from !== 0 }));
  });
  const chosen = parts
    .flat()
    .toSorted((a, b) => b.value - a.value)
    .slice(0, CODE_LENGTH)
    .toSorted((a, b) => Number(a.odd) - Number(b.odd) || b.value - a.value);
  const directions = new Float32Array(CODE_LENGTH * HALF);
  for (const [k, { vector }] of chosen.entries()) directions.set(vector, k * HALF);
  const basis = { directions, odd: chosen.map(({ odd }) => odd), centre: new Float32Array(CODE_LENGTH) };
  const codes = new Float32Array(Math.ceil(count / stride) * CODE_LENGTH);
  for (let i = 0, at = 0; i < count; i += stride, at += CODE_LENGTH)
    encode(basis, descriptors, i * DESCRIPTOR_LENGTH, codes, at);
  for (let k = 0; k < CODE_LENGTH; k++) {
    if (basis.odd[k]) continue;
    const values = Float32Array.from(
      { length: codes.length / CODE_LENGTH },
      (_, i) => codes[i * CODE_LENGTH + k]!,
    ).toSorted();
    basis.centre[k] = values[values.length >> 1] ?? 0;
  }
  return basis;
}

/** Code of one descriptor, less the centre. */
export function encode(
  basis: DescriptorBasis,
  descriptors: Float32Array,
  offset: number,
  into: Float32Array,
  at: number,
): void {
  for (let k = 0; k < CODE_LENGTH; k++) {
    const from = offset + (basis.odd[k] ? HALF : 0);
    let sum = -basis.centre[k]!;
    for (let i = 0, d = k * HALF; i < HALF; i++, d++) sum += basis.directions[d]! * descriptors[from + i]!;
    into[at + k] = sum;
  }
}

/** Sums of products, [HALF, HALF]; the mean is taken off the even part only, that of the odd part is 0. */
function covariance(rows: readonly Float32Array[], centred: boolean): Float64Array {
  const mean = new Float64Array(HALF);
  if (centred) for (const row of rows) for (let i = 0; i < HALF; i++) mean[i]! += row[i]! / rows.length;
  const sums = new Float64Array(HALF * HALF);
  for (const row of rows)
    for (let i = 0; i < HALF; i++) {
      const x = row[i]! - mean[i]!;
      for (let j = 0; j <= i; j++) sums[i * HALF + j]! += x * (row[j]! - mean[j]!);
    }
  for (let i = 0; i < HALF; i++) for (let j = 0; j < i; j++) sums[j * HALF + i] = sums[i * HALF + j]!;
  return sums;
}

/** Eigenvalues and vectors of a symmetric matrix by cyclic Jacobi rotations (Golub and Van Loan, 8.5). */
function eigenvectors(a: Float64Array): { value: number; vector: Float32Array }[] {
  const v = new Float64Array(HALF * HALF);
  for (let i = 0; i < HALF; i++) v[i * (HALF + 1)] = 1;
  for (let sweep = 0; sweep < 12; sweep++)
    for (let p = 0; p < HALF - 1; p++)
      for (let q = p + 1; q < HALF; q++) {
        const off = a[p * HALF + q]!;
        if (Math.abs(off) < 1e-12) continue;
        const theta = (a[q * HALF + q]! - a[p * HALF + p]!) / (2 * off);
        const t = (theta >= 0 ? 1 : -1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
        const c = 1 / Math.sqrt(t * t + 1);
        const s = t * c;
        for (let k = 0; k < HALF; k++) rotate(a, k * HALF + p, k * HALF + q, c, s);
        for (let k = 0; k < HALF; k++) rotate(a, p * HALF + k, q * HALF + k, c, s);
        for (let k = 0; k < HALF; k++) rotate(v, k * HALF + p, k * HALF + q, c, s);
      }
  return Array.from({ length: HALF }, (_, j) => ({
    value: a[j * (HALF + 1)]!,
    vector: Float32Array.from({ length: HALF }, (_unused, k) => v[k * HALF + j]!),
  }));
}

function rotate(m: Float64Array, p: number, q: number, c: number, s: number): void {
  const [x, y] = [m[p]!, m[q]!];
  m[p] = c * x - s * y;
  m[q] = s * x + c * y;
}
