import { paired, raised, storeFour, storeOne } from './pixels';

/** See `BilinearRow` in src/images/warp.ts: the same arithmetic, bit for bit. Places are whole numbers of 2^-32 pixels. */
export function bilinearRow(
  source: usize,
  stride: i32,
  out: usize,
  start: i32,
  end: i32,
  x: f64,
  dx: f64,
  y: f64,
  dy: f64,
): void {
  const stepX = <i64>dx;
  const stepY = <i64>dy;
  // Half a part, so that cutting off rounds.
  let placeX = <i64>x + stepX * <i64>start + (1 << 23);
  let placeY = <i64>y + stepY * <i64>start + (1 << 23);
  let to = out + 3 * start;
  let i = start;
  for (; i + 4 <= end; i += 4, to += 12) {
    const one = pixelAt(source, stride, <i32>(placeX >> 24), <i32>(placeY >> 24));
    const two = pixelAt(source, stride, <i32>((placeX + stepX) >> 24), <i32>((placeY + stepY) >> 24));
    placeX += 2 * stepX;
    placeY += 2 * stepY;
    const three = pixelAt(source, stride, <i32>(placeX >> 24), <i32>(placeY >> 24));
    const four = pixelAt(source, stride, <i32>((placeX + stepX) >> 24), <i32>((placeY + stepY) >> 24));
    placeX += 2 * stepX;
    placeY += 2 * stepY;
    storeFour(to, one, two, three, four);
  }
  for (; i < end; i++, to += 3) {
    storeOne(to, pixelAt(source, stride, <i32>(placeX >> 24), <i32>(placeY >> 24)));
    placeX += stepX;
    placeY += stepY;
  }
}

/** See `ProjectiveRow` there. */
export function projectiveRow(
  source: usize,
  stride: i32,
  out: usize,
  start: i32,
  end: i32,
  x: f64,
  dx: f64,
  y: f64,
  dy: f64,
  w: f64,
  dw: f64,
): void {
  const from = f64x2.replace_lane(f64x2.splat(x), 1, y);
  const step = f64x2.replace_lane(f64x2.splat(dx), 1, dy);
  let to = out + 3 * start;
  let i = start;
  for (; i + 4 <= end; i += 4, to += 12)
    storeFour(
      to,
      projectedAt(source, stride, from, step, w, dw, i),
      projectedAt(source, stride, from, step, w, dw, i + 1),
      projectedAt(source, stride, from, step, w, dw, i + 2),
      projectedAt(source, stride, from, step, w, dw, i + 3),
    );
  for (; i < end; i++, to += 3) storeOne(to, projectedAt(source, stride, from, step, w, dw, i));
}

// @ts-ignore: decorator
@inline
function projectedAt(source: usize, stride: i32, from: v128, step: v128, w: f64, dw: f64, i: i32): v128 {
  const place = f64x2.add(from, f64x2.mul(step, f64x2.splat(<f64>i)));
  const projected = f64x2.div(place, f64x2.splat(w + dw * <f64>i));
  const parts = i32x4.trunc_sat_f64x2_s_zero(f64x2.add(projected, f64x2.splat(0.5)));
  return pixelAt(source, stride, i32x4.extract_lane(parts, 0), i32x4.extract_lane(parts, 1));
}

/** Red, green and blue among four pixels, as i32x4. `gx`, `gy`: place in parts of 256. */
// @ts-ignore: decorator
@inline
function pixelAt(source: usize, stride: i32, gx: i32, gy: i32): v128 {
  const at = source + <usize>((gy >> 8) * stride + (gx >> 8) * 3);
  const fx = gx & 255;
  const above = v128.load64_zero(at);
  const below = v128.load64_zero(at + stride);
  // 256 above + fy (below - above): right in the end, though it may pass 16 bits between.
  const column = i16x8.add(
    raised(above),
    i16x8.mul(i16x8.sub(paired(below), paired(above)), i16x8.splat(<i16>(gy & 255))),
  );
  const sum = i32x4.dot_i16x8_s(i16x8.shr_u(column, 1), i32x4.splat(256 + fx * 65535));
  return i32x4.shr_s(i32x4.add(sum, i32x4.splat(16384)), 15);
}
