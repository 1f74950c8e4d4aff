import type { GreyPlane } from './grey-plane.ts';

/**
 * Which way edges run, from gradients within the largest centred circle (a turned image is whole there), each counted
 * by its energy; all -1..1.
 * - axes, slant: cosine and sine of four times the angle: 1 and 0 where all edges are level or plumb. Turning the image
 *   by w turns the pair by 4w, so that tilted photos have less of the first and a wider second.
 * - upright, lean: the same of twice the angle: 1 where all edges are plumb, -1 where all are level. A quarter turn
 *   changes their sign.
 * - leftRight, topBottom: difference of the halves' mean luma over the standard deviation: they change their sign under
 *   mirroring and half a turn.
 */
export function measureOrientation({ width, height, luma }: GreyPlane): {
  axes: number;
  slant: number;
  upright: number;
  lean: number;
  leftRight: number;
  topBottom: number;
} {
  const [centreX, centreY, radius] = [(width - 1) / 2, (height - 1) / 2, Math.min(width, height) / 2 - 1.5];
  let [energy, cos2, sin2, cos4, sin4] = [0, 0, 0, 0, 0];
  let [count, sum, squares, right, bottom] = [0, 0, 0, 0, 0];
  for (let y = 1; y < height - 1; y++) {
    const dy = y - centreY;
    const reach = radius * radius - dy * dy;
    if (reach < 0) continue;
    const half = Math.sqrt(reach);
    const last = Math.min(width - 2, Math.floor(centreX + half));
    for (let x = Math.max(1, Math.ceil(centreX - half)), at = y * width + x; x <= last; x++, at++) {
      const value = luma[at]!;
      count++;
      sum += value;
      squares += value * value;
      right += x > centreX ? value : x < centreX ? -value : 0;
      bottom += y > centreY ? value : y < centreY ? -value : 0;
      // Scharr's weights: nearly the same response for every direction.
      const above = at - width;
      const below = at + width;
      const gx =
        3 * (luma[above + 1]! - luma[above - 1]! + luma[below + 1]! - luma[below - 1]!) +
        10 * (luma[at + 1]! - luma[at - 1]!);
      const gy =
        3 * (luma[below - 1]! - luma[above - 1]! + luma[below + 1]! - luma[above + 1]!) +
        10 * (luma[below]! - luma[above]!);
      const [xx, yy] = [gx * gx, gy * gy];
      const square = xx + yy;
      // Below two grey levels a pixel it is grain.
      if (square < 4096) continue;
      const [c, s] = [xx - yy, 2 * gx * gy];
      energy += square;
      cos2 += c;
      sin2 += s;
      cos4 += (c * c - s * s) / square;
      sin4 += (2 * c * s) / square;
    }
  }
  const scale = energy === 0 ? 0 : 1 / energy;
  const deviation = Math.sqrt(Math.max(0, squares / count - (sum / count) ** 2));
  const halves = deviation < 1 || count === 0 ? 0 : 2 / (count * deviation);
  return {
    axes: cos4 * scale,
    slant: sin4 * scale,
    upright: cos2 * scale,
    lean: sin2 * scale,
    leftRight: -right * halves,
    topBottom: -bottom * halves,
  };
}
