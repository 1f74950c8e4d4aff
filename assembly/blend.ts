import { WHOLE } from './pixels';

/**
 * See src/images/blend.ts: the same arithmetic, bit for bit. What is written behind the last byte is memory behind the image.
 * @param images `count` addresses, u32
 * @param weights as many f32
 */
export function blend(images: usize, weights: usize, count: i32, bytes: i32, out: usize): void {
  for (let i = 0; i < bytes; i += 16) {
    let one = f32x4.splat(0);
    let two = one;
    let three = one;
    let four = one;
    for (let k = 0; k < count; k++) {
      const place = <usize>(k << 2);
      const values = v128.load(<usize>load<u32>(images + place) + i);
      const weight = v128.load32_splat(weights + place);
      const left = i16x8.extend_low_i8x16_u(values);
      const right = i16x8.extend_high_i8x16_u(values);
      one = f32x4.add(one, weighed(i32x4.extend_low_i16x8_u(left), weight));
      two = f32x4.add(two, weighed(i32x4.extend_high_i16x8_u(left), weight));
      three = f32x4.add(three, weighed(i32x4.extend_low_i16x8_u(right), weight));
      four = f32x4.add(four, weighed(i32x4.extend_high_i16x8_u(right), weight));
    }
    v128.store(
      out + i,
      i8x16.narrow_i16x8_u(i16x8.narrow_i32x4_s(whole(one), whole(two)), i16x8.narrow_i32x4_s(whole(three), whole(four))),
    );
  }
}

// @ts-ignore: decorator
@inline
function weighed(values: v128, weight: v128): v128 {
  return f32x4.mul(weight, f32x4.convert_i32x4_s(values));
}

// @ts-ignore: decorator
@inline
function whole(sum: v128): v128 {
  return v128.and(f32x4.add(sum, f32x4.splat(WHOLE)), i32x4.splat(255));
}
