import type { View } from './views.ts';

/** A square grey image. */
export interface GreyImage {
  readonly side: number;
  /** [side, side], 0 to 255 */
  readonly data: Float32Array;
}

/** A source prepared for `align`: smoothed, with its gradients. */
export interface AlignSource {
  readonly side: number;
  readonly smooth: Float32Array;
  readonly alongX: Float32Array;
  readonly alongY: Float32Array;
}

export interface Alignment {
  /** Where in the source the template lies. */
  readonly view: View;
  /** 1 - r², r the correlation of the aligned pixels: the part of the template that the source does not explain. */
  readonly unexplained: number;
  /** Contrast of the template over that of the source there; 1 for a copy. */
  readonly gain: number;
}

const STEPS = 6;
/** Per step, in parts of a side: keeps a bad start from running away. */
const LONGEST_STEP = 0.05;

/** 3 x 3 binomial filter: what differs by the path of resampling lies in the highest frequencies. */
export function smoothed({ side, data }: GreyImage): Float32Array {
  const rows = new Float32Array(side * side);
  const both = new Float32Array(side * side);
  for (let y = 0, at = 0; y < side; y++)
    for (let x = 0; x < side; x++, at++)
      rows[at] = 0.25 * data[at - (x > 0 ? 1 : 0)]! + 0.5 * data[at]! + 0.25 * data[at + (x < side - 1 ? 1 : 0)]!;
  for (let y = 0, at = 0; y < side; y++)
    for (let x = 0; x < side; x++, at++)
      both[at] = 0.25 * rows[at - (y > 0 ? side : 0)]! + 0.5 * rows[at]! + 0.25 * rows[at + (y < side - 1 ? side : 0)]!;
  return both;
}

/** @param passes of the 3 x 3 filter: so many that source and template are equally smooth where they meet. */
export function alignSource(image: GreyImage, passes = 1): AlignSource {
  const { side } = image;
  let smooth = image.data;
  for (let pass = 0; pass < passes; pass++) smooth = smoothed({ side, data: smooth });
  const alongX = new Float32Array(side * side);
  const alongY = new Float32Array(side * side);
  // In grey levels per side, so that steps come out in parts of a side.
  const scale = side / 2;
  for (let y = 0, at = 0; y < side; y++)
    for (let x = 0; x < side; x++, at++) {
      if (x > 0 && x < side - 1) alongX[at] = (smooth[at + 1]! - smooth[at - 1]!) * scale;
      if (y > 0 && y < side - 1) alongY[at] = (smooth[at + side]! - smooth[at - side]!) * scale;
    }
  return { side, smooth, alongX, alongY };
}

/**
 * Finds the window of `source` that `template` shows, from a start near it: Gauss-Newton on offset and scale
 * of each axis, with gain and bias solved for (Lucas and Kanade 1981; Evangelidis and Psarakis 2008).
 * @param template [side, side], smoothed; any side
 * @param steps 0 compares at the start
 */
export function align(source: AlignSource, template: GreyImage, start: View, steps = STEPS): Alignment {
  const { side } = template;
  const count = side * side;
  const mean = template.data.reduce((sum, value) => sum + value, 0) / count;
  const variance = template.data.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const warped = new Float32Array(count);
  const slopes = new Float32Array(count * 2);
  let view = start;
  for (let step = 0; ; step++) {
    warp(source, view, side, warped, slopes);
    const moments = against(template.data, mean, warped);
    const gain = moments.covariance / (moments.variance + 1e-6);
    if (step === steps) {
      const r2 = moments.covariance <= 0 ? 0 : moments.covariance ** 2 / (moments.variance * variance + 1e-9);
      return { view, unexplained: 1 - r2, gain };
    }
    const move = gaussNewton(template.data, mean, warped, moments.mean, slopes, gain, side);
    view = {
      left: view.left + move[0]!,
      top: view.top + move[1]!,
      width: view.width + move[2]!,
      height: view.height + move[3]!,
    };
  }
}

/** Bilinear samples of the source and its slopes at the template's pixels; the edge is continued. */
function warp(source: AlignSource, view: View, side: number, warped: Float32Array, slopes: Float32Array): void {
  const { side: from, smooth, alongX, alongY } = source;
  const last = from - 1.001;
  for (let y = 0, at = 0; y < side; y++) {
    const sy = Math.min(last, Math.max(0, (view.top + (view.height * (y + 0.5)) / side) * from - 0.5));
    const y0 = Math.floor(sy);
    const fy = sy - y0;
    for (let x = 0; x < side; x++, at++) {
      const sx = Math.min(last, Math.max(0, (view.left + (view.width * (x + 0.5)) / side) * from - 0.5));
      const x0 = Math.floor(sx);
      const fx = sx - x0;
      const corner = y0 * from + x0;
      const [a, b, c, d] = [(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy];
      warped[at] =
        a * smooth[corner]! + b * smooth[corner + 1]! + c * smooth[corner + from]! + d * smooth[corner + from + 1]!;
      slopes[2 * at] =
        a * alongX[corner]! + b * alongX[corner + 1]! + c * alongX[corner + from]! + d * alongX[corner + from + 1]!;
      slopes[2 * at + 1] =
        a * alongY[corner]! + b * alongY[corner + 1]! + c * alongY[corner + from]! + d * alongY[corner + from + 1]!;
    }
  }
}

function against(
  template: Float32Array,
  templateMean: number,
  warped: Float32Array,
): { mean: number; variance: number; covariance: number } {
  let mean = 0;
  for (const value of warped) mean += value;
  mean /= warped.length;
  let [variance, covariance] = [0, 0];
  for (let i = 0; i < warped.length; i++) {
    const value = warped[i]! - mean;
    variance += value * value;
    covariance += value * (template[i]! - templateMean);
  }
  return { mean, variance, covariance };
}

/** One damped step: changes of left, top, width and height. */
function gaussNewton(
  template: Float32Array,
  templateMean: number,
  warped: Float32Array,
  warpedMean: number,
  slopes: Float32Array,
  gain: number,
  side: number,
): number[] {
  const count = side * side;
  const means = [0, 0, 0, 0];
  for (let y = 0, at = 0; y < side; y++)
    for (let x = 0; x < side; x++, at++) {
      const [gx, gy] = [slopes[2 * at]!, slopes[2 * at + 1]!];
      means[0]! += gx;
      means[1]! += gy;
      means[2]! += (gx * (x + 0.5)) / side;
      means[3]! += (gy * (y + 0.5)) / side;
    }
  const [m0, m1, m2, m3] = means.map((sum) => (gain * sum) / count) as [number, number, number, number];
  const normal = new Float64Array(16);
  const right = new Float64Array(4);
  for (let y = 0, at = 0; y < side; y++)
    for (let x = 0; x < side; x++, at++) {
      const [gx, gy] = [gain * slopes[2 * at]!, gain * slopes[2 * at + 1]!];
      const j0 = gx - m0;
      const j1 = gy - m1;
      const j2 = (gx * (x + 0.5)) / side - m2;
      const j3 = (gy * (y + 0.5)) / side - m3;
      const rest = template[at]! - templateMean - gain * (warped[at]! - warpedMean);
      normal[0]! += j0 * j0;
      normal[1]! += j0 * j1;
      normal[2]! += j0 * j2;
      normal[3]! += j0 * j3;
      normal[5]! += j1 * j1;
      normal[6]! += j1 * j2;
      normal[7]! += j1 * j3;
      normal[10]! += j2 * j2;
      normal[11]! += j2 * j3;
      normal[15]! += j3 * j3;
      right[0]! += j0 * rest;
      right[1]! += j1 * rest;
      right[2]! += j2 * rest;
      right[3]! += j3 * rest;
    }
  const damping = (1e-3 * (normal[0]! + normal[5]! + normal[10]! + normal[15]!)) / 4 + 1e-9;
  for (let i = 0; i < 4; i++) {
    normal[5 * i]! += damping;
    for (let j = 0; j < i; j++) normal[4 * i + j] = normal[4 * j + i]!;
  }
  return solve4(normal, right).map((value) => Math.max(-LONGEST_STEP, Math.min(LONGEST_STEP, value)));
}

/** Gaussian elimination of a positive definite system. */
function solve4(a: Float64Array, b: Float64Array): number[] {
  for (let i = 0; i < 4; i++)
    for (let row = i + 1; row < 4; row++) {
      const factor = a[4 * row + i]! / a[5 * i]!;
      for (let j = i; j < 4; j++) a[4 * row + j]! -= factor * a[4 * i + j]!;
      b[row]! -= factor * b[i]!;
    }
  const x = [0, 0, 0, 0];
  for (let i = 3; i >= 0; i--) {
    let sum = b[i]!;
    for (let j = i + 1; j < 4; j++) sum -= a[4 * i + j]! * x[j]!;
    x[i] = sum / a[5 * i]!;
  }
  return x;
}
