import type { Size } from './pixels.ts';
import { reflected } from './sample.ts';

/** One channel blurred by a Gaussian, cut off at four standard deviations; what lies outside is reflected (edges repeated). */
export function blurredPlane(plane: Float32Array, { width, height }: Size, sigma: number): Float32Array {
  const reach = Math.ceil(4 * sigma);
  const weights = gaussian(sigma, reach);
  const lines = new Float32Array(plane.length);
  const columns = Int32Array.from({ length: width + 2 * reach }, (_, i) => reflected(i - reach, width));
  const padded = new Float32Array(columns.length);
  for (let y = 0; y < height; y++) {
    for (let i = 0; i < padded.length; i++) padded[i] = plane[y * width + columns[i]!]!;
    for (let x = 0; x < width; x++) {
      let sum = 0;
      for (let k = 0; k < weights.length; k++) sum += weights[k]! * padded[x + k]!;
      lines[y * width + x] = sum;
    }
  }
  const blurred = new Float32Array(plane.length);
  for (let y = 0; y < height; y++) {
    const to = y * width;
    for (let k = 0; k < weights.length; k++) {
      const from = reflected(y + k - reach, height) * width;
      const weight = weights[k]!;
      for (let x = 0; x < width; x++) blurred[to + x]! += weight * lines[from + x]!;
    }
  }
  return blurred;
}

function gaussian(sigma: number, reach: number): Float64Array {
  const weights = Float64Array.from({ length: 2 * reach + 1 }, (_, i) => Math.exp(-0.5 * ((i - reach) / sigma) ** 2));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}
