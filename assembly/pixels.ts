// Four pixels of three bytes at once. Loads read 16 bytes, of which the last four are not used: memory goes on a little
// behind every image.

/** Added to a float of 0..255, leaves it as a whole number in the lowest byte. */
export const WHOLE: f32 = 8388608;

/** Channel 0, 1 or 2 of the four pixels at `at`, as i32x4. */
// @ts-ignore: decorator
@inline
export function channel0(pixels: v128): v128 {
  return i8x16.shuffle(pixels, i8x16.splat(0), 0, 16, 16, 16, 3, 16, 16, 16, 6, 16, 16, 16, 9, 16, 16, 16);
}

// @ts-ignore: decorator
@inline
export function channel1(pixels: v128): v128 {
  return i8x16.shuffle(pixels, i8x16.splat(0), 1, 16, 16, 16, 4, 16, 16, 16, 7, 16, 16, 16, 10, 16, 16, 16);
}

// @ts-ignore: decorator
@inline
export function channel2(pixels: v128): v128 {
  return i8x16.shuffle(pixels, i8x16.splat(0), 2, 16, 16, 16, 5, 16, 16, 16, 8, 16, 16, 16, 11, 16, 16, 16);
}

/** Stores the first three lanes of four i32x4, cut to 0..255: twelve bytes, no more. */
// @ts-ignore: decorator
@inline
export function storeFour(to: usize, one: v128, two: v128, three: v128, four: v128): void {
  const bytes = i8x16.narrow_i16x8_u(i16x8.narrow_i32x4_s(one, two), i16x8.narrow_i32x4_s(three, four));
  const packed = i8x16.shuffle(bytes, bytes, 0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 15, 15, 15, 15);
  v128.store64_lane(to, packed, 0);
  v128.store32_lane(to, packed, 2, 8);
}

/** Stores the first three lanes of an i32x4, cut to 0..255. */
// @ts-ignore: decorator
@inline
export function storeOne(to: usize, one: v128): void {
  const bytes = i8x16.narrow_i16x8_u(i16x8.narrow_i32x4_s(one, one), i16x8.splat(0));
  v128.store16_lane(to, bytes, 0);
  v128.store8_lane(to, bytes, 2, 2);
}

/** Two neighbouring pixels, channel by channel: left red, right red, left green, ... as i16x8. */
// @ts-ignore: decorator
@inline
export function paired(pixels: v128): v128 {
  return i8x16.shuffle(pixels, i8x16.splat(0), 0, 16, 3, 16, 1, 16, 4, 16, 2, 16, 5, 16, 16, 16, 16, 16);
}

/** Stores the lowest bytes of three times four lanes as four pixels: twelve bytes. */
// @ts-ignore: decorator
@inline
export function storeChannels(to: usize, red: v128, green: v128, blue: v128): void {
  const two = i8x16.shuffle(red, green, 0, 16, 0, 4, 20, 0, 8, 24, 0, 12, 28, 0, 0, 0, 0, 0);
  const packed = i8x16.shuffle(two, blue, 0, 1, 16, 3, 4, 20, 6, 7, 24, 9, 10, 28, 0, 0, 0, 0);
  v128.store64_lane(to, packed, 0);
  v128.store32_lane(to, packed, 2, 8);
}

/** The same, times 256. */
// @ts-ignore: decorator
@inline
export function raised(pixels: v128): v128 {
  return i8x16.shuffle(pixels, i8x16.splat(0), 16, 0, 16, 3, 16, 1, 16, 4, 16, 2, 16, 5, 16, 16, 16, 16);
}
