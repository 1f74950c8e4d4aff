import { channel0, channel1, channel2, storeChannels, WHOLE } from './pixels';

// Each pixel by itself, in place; see src/images/point-kernels.ts: the same arithmetic, bit for bit. What is written
// behind the last pixel is memory behind the image.

export function lookUp(image: usize, count: i32, table: usize): void {
  const end = image + 3 * count;
  for (let at = image; at < end; at += 12) {
    const one =
      tableAt(table, at) | (tableAt(table + 256, at + 1) << 8) | (tableAt(table + 512, at + 2) << 16) |
      (tableAt(table, at + 3) << 24);
    const two =
      tableAt(table + 256, at + 4) | (tableAt(table + 512, at + 5) << 8) | (tableAt(table, at + 6) << 16) |
      (tableAt(table + 256, at + 7) << 24);
    const three =
      tableAt(table + 512, at + 8) | (tableAt(table, at + 9) << 8) | (tableAt(table + 256, at + 10) << 16) |
      (tableAt(table + 512, at + 11) << 24);
    store<u32>(at, one);
    store<u32>(at + 4, two);
    store<u32>(at + 8, three);
  }
}

// @ts-ignore: decorator
@inline
function tableAt(table: usize, at: usize): u32 {
  return <u32>load<u8>(table + <usize>load<u8>(at));
}

/** @param m twelve f32 */
export function colourMatrix(image: usize, count: i32, m: usize): void {
  const end = image + 3 * count;
  for (let at = image; at < end; at += 12) {
    const pixels = v128.load(at);
    const red = f32x4.convert_i32x4_s(channel0(pixels));
    const green = f32x4.convert_i32x4_s(channel1(pixels));
    const blue = f32x4.convert_i32x4_s(channel2(pixels));
    storeChannels(at, mixed(m, red, green, blue), mixed(m + 16, red, green, blue), mixed(m + 32, red, green, blue));
  }
}

// @ts-ignore: decorator
@inline
function mixed(m: usize, red: v128, green: v128, blue: v128): v128 {
  const sum = f32x4.add(
    f32x4.add(
      f32x4.add(f32x4.mul(v128.load32_splat(m), red), f32x4.mul(v128.load32_splat(m + 4), green)),
      f32x4.mul(v128.load32_splat(m + 8), blue),
    ),
    v128.load32_splat(m + 12),
  );
  return f32x4.add(f32x4.pmin(f32x4.pmax(sum, f32x4.splat(0)), f32x4.splat(255)), f32x4.splat(WHOLE));
}

/** @param turn six times the turns of the hue, plus 12 */
export function turnHue(image: usize, count: i32, turn: f32): void {
  const end = image + 3 * count;
  for (let at = image; at < end; at += 12) {
    const pixels = v128.load(at);
    const red = channel0(pixels);
    const green = channel1(pixels);
    const blue = channel2(pixels);
    const most = i32x4.max_s(red, i32x4.max_s(green, blue));
    const least = i32x4.min_s(red, i32x4.min_s(green, blue));
    const isRed = i32x4.eq(most, red);
    const isGreen = i32x4.eq(most, green);
    const difference = v128.bitselect(
      i32x4.sub(green, blue),
      v128.bitselect(i32x4.sub(blue, red), i32x4.sub(red, green), isGreen),
      isRed,
    );
    const base = v128.andnot(v128.bitselect(f32x4.splat(2), f32x4.splat(4), isGreen), isRed);
    const range = f32x4.convert_i32x4_s(i32x4.sub(most, least));
    const share = f32x4.div(f32x4.convert_i32x4_s(difference), f32x4.pmax(range, f32x4.splat(1)));
    const turned = f32x4.add(f32x4.add(share, base), f32x4.splat(turn));
    const hue = f32x4.sub(
      turned,
      f32x4.mul(f32x4.splat(6), f32x4.floor(f32x4.mul(turned, f32x4.splat(<f32>(1.0 / 6.0))))),
    );
    const floor = f32x4.add(f32x4.convert_i32x4_s(least), f32x4.splat(WHOLE));
    storeChannels(
      at,
      raisedBy(f32x4.sub(f32x4.abs(f32x4.sub(hue, f32x4.splat(3))), f32x4.splat(1)), range, floor),
      raisedBy(f32x4.sub(f32x4.splat(2), f32x4.abs(f32x4.sub(hue, f32x4.splat(2)))), range, floor),
      raisedBy(f32x4.sub(f32x4.splat(2), f32x4.abs(f32x4.sub(hue, f32x4.splat(4)))), range, floor),
    );
  }
}

// @ts-ignore: decorator
@inline
function raisedBy(share: v128, range: v128, floor: v128): v128 {
  return f32x4.add(floor, f32x4.mul(range, f32x4.pmin(f32x4.pmax(share, f32x4.splat(0)), f32x4.splat(1))));
}

/** Sums of 48 bytes' places, 48 u32: place i belongs to channel i mod 3. `count` is a multiple of 16 pixels. */
export function sumChannels(image: usize, count: i32, sums: usize): void {
  for (let k = 0; k < 12; k++) v128.store(sums + (k << 4), i32x4.splat(0));
  const end = image + 3 * count;
  let at = image;
  while (at < end) {
    // 16 bits hold 257 bytes.
    const stop = min(end, at + 48 * 256);
    let a = i16x8.splat(0);
    let b = a;
    let c = a;
    let d = a;
    let e = a;
    let f = a;
    for (; at < stop; at += 48) {
      const one = v128.load(at);
      const two = v128.load(at, 16);
      const three = v128.load(at, 32);
      a = i16x8.add(a, i16x8.extend_low_i8x16_u(one));
      b = i16x8.add(b, i16x8.extend_high_i8x16_u(one));
      c = i16x8.add(c, i16x8.extend_low_i8x16_u(two));
      d = i16x8.add(d, i16x8.extend_high_i8x16_u(two));
      e = i16x8.add(e, i16x8.extend_low_i8x16_u(three));
      f = i16x8.add(f, i16x8.extend_high_i8x16_u(three));
    }
    addTo(sums, a);
    addTo(sums + 32, b);
    addTo(sums + 64, c);
    addTo(sums + 96, d);
    addTo(sums + 128, e);
    addTo(sums + 160, f);
  }
}

// @ts-ignore: decorator
@inline
function addTo(sums: usize, part: v128): void {
  v128.store(sums, i32x4.add(v128.load(sums), i32x4.extend_low_i16x8_u(part)));
  v128.store(sums, i32x4.add(v128.load(sums, 16), i32x4.extend_high_i16x8_u(part)), 16);
}

/** [height, width, 3] uint8 to [3, height, width] f32: (value - mean) / std. */
export function normalise(
  image: usize,
  width: i32,
  height: i32,
  mirrored: bool,
  means: usize,
  out: usize,
): void {
  const plane = <usize>(width * height) << 2;
  for (let y = 0; y < height; y++) {
    const line = image + 3 * y * width;
    const to = out + ((<usize>(y * width)) << 2);
    let x = 0;
    for (; x + 4 <= width; x += 4) {
      const place = to + ((<usize>x) << 2);
      const at = line + 3 * (mirrored ? width - 4 - x : x);
      let pixels = v128.load(at);
      if (mirrored) pixels = i8x16.shuffle(pixels, pixels, 9, 10, 11, 6, 7, 8, 3, 4, 5, 0, 1, 2, 12, 13, 14, 15);
      v128.store(place, normal(channel0(pixels), means));
      v128.store(place + plane, normal(channel1(pixels), means + 4));
      v128.store(place + 2 * plane, normal(channel2(pixels), means + 8));
    }
    for (; x < width; x++) {
      const place = to + ((<usize>x) << 2);
      const at = line + 3 * (mirrored ? width - 1 - x : x);
      for (let c: usize = 0; c < 3; c++)
        store<f32>(
          place + c * plane,
          (<f32>load<u8>(at + c) - load<f32>(means + (c << 2))) / load<f32>(means + (c << 2), 12),
        );
    }
  }
}

/** `means`: of three channels, then three deviations. */
// @ts-ignore: decorator
@inline
function normal(values: v128, means: usize): v128 {
  return f32x4.div(
    f32x4.sub(f32x4.convert_i32x4_s(values), v128.load32_splat(means)),
    v128.load32_splat(means + 12),
  );
}
