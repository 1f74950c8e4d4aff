import { paired, storeFour, storeOne } from './pixels';

/** See `resample` in src/images/resample.ts. `taps` is even; weights are i16, `first` i32. */
export function resampleRows(
  source: usize,
  stride: i32,
  height: i32,
  out: usize,
  outWidth: i32,
  first: usize,
  weights: usize,
  taps: i32,
  shift: i32,
): void {
  let to = out;
  for (let y = 0; y < height; y++) {
    const line = source + y * stride;
    let x = 0;
    if (taps == 2) {
      for (; x + 4 <= outWidth; x += 4, to += 12)
        storeFour(
          to,
          ofTwo(line, x, first, weights, shift),
          ofTwo(line, x + 1, first, weights, shift),
          ofTwo(line, x + 2, first, weights, shift),
          ofTwo(line, x + 3, first, weights, shift),
        );
    } else {
      for (; x + 4 <= outWidth; x += 4, to += 12)
        storeFour(
          to,
          ofMany(line, x, first, weights, taps, shift),
          ofMany(line, x + 1, first, weights, taps, shift),
          ofMany(line, x + 2, first, weights, taps, shift),
          ofMany(line, x + 3, first, weights, taps, shift),
        );
    }
    for (; x < outWidth; x++, to += 3) storeOne(to, ofMany(line, x, first, weights, taps, shift));
  }
}

// @ts-ignore: decorator
@inline
function ofTwo(line: usize, x: i32, first: usize, weights: usize, shift: i32): v128 {
  const at = line + 3 * load<i32>(first + ((<usize>x) << 2));
  const sum = i32x4.dot_i16x8_s(paired(v128.load64_zero(at)), v128.load32_splat(weights + ((<usize>x) << 2)));
  return i32x4.shr_s(i32x4.add(sum, i32x4.splat(1 << (shift - 1))), shift);
}

// @ts-ignore: decorator
@inline
function ofMany(line: usize, x: i32, first: usize, weights: usize, taps: i32, shift: i32): v128 {
  let at = line + 3 * load<i32>(first + ((<usize>x) << 2));
  let weight = weights + <usize>(x * taps * 2);
  let sum = i32x4.splat(1 << (shift - 1));
  for (let k = 0; k < taps; k += 2, at += 6, weight += 4)
    sum = i32x4.add(sum, i32x4.dot_i16x8_s(paired(v128.load64_zero(at)), v128.load32_splat(weight)));
  return i32x4.shr_s(sum, shift);
}

export function resampleColumns(
  source: usize,
  stride: i32,
  out: usize,
  outHeight: i32,
  first: usize,
  weights: usize,
  taps: i32,
  shift: i32,
): void {
  const half = i32x4.splat(1 << (shift - 1));
  for (let y = 0; y < outHeight; y++) {
    const start = source + load<i32>(first + ((<usize>y) << 2)) * stride;
    const line = weights + <usize>(y * taps * 2);
    const to = out + y * stride;
    // The last stretch writes beyond the row: the next row, or memory behind the image.
    for (let i = 0; i < stride; i += 16) {
      let one = half;
      let two = half;
      let three = half;
      let four = half;
      let at = start + i;
      for (let k = 0; k < taps; k += 2, at += 2 * stride) {
        const weight = v128.load32_splat(line + ((<usize>k) << 1));
        const above = v128.load(at);
        const below = v128.load(at + stride);
        const left = i8x16.shuffle(above, below, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
        const right = i8x16.shuffle(above, below, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
        one = i32x4.add(one, i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_u(left), weight));
        two = i32x4.add(two, i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_u(left), weight));
        three = i32x4.add(three, i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_u(right), weight));
        four = i32x4.add(four, i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_u(right), weight));
      }
      v128.store(
        to + i,
        i8x16.narrow_i16x8_u(
          i16x8.narrow_i32x4_s(i32x4.shr_s(one, shift), i32x4.shr_s(two, shift)),
          i16x8.narrow_i32x4_s(i32x4.shr_s(three, shift), i32x4.shr_s(four, shift)),
        ),
      );
    }
  }
}
