/** See src/images/sharpen.ts: the same arithmetic, bit for bit. `out` lies apart from `source`. */
export function sharpen(source: usize, width: i32, height: i32, factor: f32, out: usize): void {
  const stride = 3 * width;
  memory.copy(out, source, stride * height);
  const by = f32x4.splat(factor);
  for (let y = 1; y < height - 1; y++) {
    const line = y * stride;
    const end = line + stride - 3;
    let at = line + 3;
    if (end - at >= 8) {
      for (; at + 8 <= end; at += 8) sharpenEight(source + at, stride, by, out + at);
      // What is left, with some of what is done: it comes from the source again.
      if (at < end) sharpenEight(source + end - 8, stride, by, out + end - 8);
    } else for (; at < end; at++) sharpenOne(source + at, stride, factor, out + at);
  }
}

// @ts-ignore: decorator
@inline
function sharpenEight(at: usize, stride: usize, factor: v128, to: usize): void {
  const value = v128.load_ext<u8>(at);
  const sum = i16x8.add(
    i16x8.add(column(at - 3, stride), column(at + 3, stride)),
    i16x8.add(
      i16x8.add(v128.load_ext<u8>(at - stride), v128.load_ext<u8>(at + stride)),
      i16x8.add(i16x8.add(value, i16x8.splat(6)), i16x8.shl(value, 2)),
    ),
  );
  // A thirteenth: exact for all that nine bytes and four can add up to.
  const part = i16x8.splat(5042);
  const low = i32x4.shr_u(i32x4.extmul_low_i16x8_u(sum, part), 16);
  const high = i32x4.shr_u(i32x4.extmul_high_i16x8_u(sum, part), 16);
  const lowValue = i32x4.extend_low_i16x8_u(value);
  const highValue = i32x4.extend_high_i16x8_u(value);
  const words = i16x8.narrow_i32x4_s(moved(low, lowValue, factor), moved(high, highValue, factor));
  v128.store64_lane(to, i8x16.narrow_i16x8_u(words, words), 0);
}

// @ts-ignore: decorator
@inline
function column(at: usize, stride: usize): v128 {
  return i16x8.add(
    i16x8.add(v128.load_ext<u8>(at - stride), v128.load_ext<u8>(at)),
    v128.load_ext<u8>(at + stride),
  );
}

// @ts-ignore: decorator
@inline
function moved(smooth: v128, value: v128, factor: v128): v128 {
  const step = f32x4.mul(factor, f32x4.convert_i32x4_s(i32x4.sub(value, smooth)));
  const sum = f32x4.add(f32x4.add(f32x4.convert_i32x4_s(smooth), step), f32x4.splat(0.5));
  return i32x4.trunc_sat_f32x4_s(sum);
}

function sharpenOne(at: usize, stride: usize, factor: f32, to: usize): void {
  const value = <i32>load<u8>(at);
  const smooth = (columnOf(at - 3, stride) + columnOf(at, stride) + columnOf(at + 3, stride) + 4 * value + 6) / 13;
  const sum: f32 = <f32>smooth + factor * <f32>(value - smooth) + <f32>0.5;
  store<u8>(to, <u8>max<f32>(0, min<f32>(255, sum)));
}

// @ts-ignore: decorator
@inline
function columnOf(at: usize, stride: usize): i32 {
  return <i32>load<u8>(at - stride) + <i32>load<u8>(at) + <i32>load<u8>(at + stride);
}
