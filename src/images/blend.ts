import type { Pixels } from './pixels.ts';
import { WHOLE } from './point-kernels.ts';

const f32 = Math.fround;

/**
 * The sum of images of one size, each times its weight, rounded. Floats are 32 bits wide and rounded after every operation.
 * @param weights at least 0, with sum 1
 * @param into another image
 */
export function blend(images: readonly Pixels[], weights: readonly number[], into: Pixels): void {
  const result = into.data;
  const sum = new Float32Array(result.length);
  for (const [k, { data }] of images.entries()) {
    const weight = f32(weights[k]!);
    for (let i = 0; i < sum.length; i++) sum[i] = sum[i]! + f32(weight * data[i]!);
  }
  for (let i = 0; i < sum.length; i++) result[i] = f32(sum[i]! + WHOLE) - WHOLE;
}
