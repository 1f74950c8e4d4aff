// Four pixels of three bytes at once. Loads read 16 bytes, of which the last four are not used: memory goes on a little
// behind every image. Swizzles by constants are one instruction (an index of -1 makes a zero), shuffles of two vectors many.

/** Added to a float of 0..255, leaves it as a whole number in the lowest byte. */
export const WHOLE: f32 = 8388608;

/** Channel 0, 1 or 2 of the four pixels at `at`, as i32x4. */
// @ts-ignore: decorator
@inline
export function channel0(pixels: v128): v128 {
  return i8x16.swizzle(pixels, i8x16(0, -1, -1, -1, 3, -1, -1, -1, 6, -1, -1, -1, 9, -1, -1, -1));
}

// @ts-ignore: decorator
@inline
export function channel1(pixels: v128): v128 {
  return i8x16.swizzle(pixels, i8x16(1, -1, -1, -1, 4, -1, -1, -1, 7, -1, -1, -1, 10, -1, -1, -1));
}

// @ts-ignore: decorator
@inline
export function channel2(pixels: v128): v128 {
  return i8x16.swizzle(pixels, i8x16(2, -1, -1, -1, 5, -1, -1, -1, 8, -1, -1, -1, 11, -1, -1, -1));
}

/** Stores the first three lanes of four i32x4, cut to 0..255: twelve bytes, no more. */
// @ts-ignore: decorator
@inline
export function storeFour(to: usize, one: v128, two: v128, three: v128, four: v128): void {
  const bytes = i8x16.narrow_i16x8_u(i16x8.narrow_i32x4_s(one, two), i16x8.narrow_i32x4_s(three, four));
  const packed = i8x16.swizzle(bytes, i8x16(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1));
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
  return i8x16.swizzle(pixels, i8x16(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1));
}

/** Stores the lowest bytes of three times four lanes as four pixels: twelve bytes. */
// @ts-ignore: decorator
@inline
export function storeChannels(to: usize, red: v128, green: v128, blue: v128): void {
  const byte = i32x4.splat(255);
  const together = v128.or(
    v128.or(v128.and(red, byte), i32x4.shl(v128.and(green, byte), 8)),
    i32x4.shl(v128.and(blue, byte), 16),
  );
  const packed = i8x16.swizzle(together, i8x16(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1));
  v128.store64_lane(to, packed, 0);
  v128.store32_lane(to, packed, 2, 8);
}

/** The same, times 256. */
// @ts-ignore: decorator
@inline
export function raised(pixels: v128): v128 {
  return i8x16.swizzle(pixels, i8x16(-1, 0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1));
}
