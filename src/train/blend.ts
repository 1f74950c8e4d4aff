import { tensor } from '../core/tensor.ts';
import type { Weights } from './weights.ts';

/**
 * Weights between two ends of a training, (1 - share) start + share end: the weight-space ensemble of WiSE-FT
 * (Wortsman et al. 2022, arXiv:2109.01903, eq. 2). After fine-tuning on few images it keeps more of what the
 * pretrained network knew.
 * @param share 0..1; 1 is `end` as it is
 * @throws RangeError for a share out of range, or an end whose start is missing or of another size.
 */
export function blendWeights(start: Weights, end: Weights, share: number): Weights {
  if (!(share >= 0 && share <= 1)) throw new RangeError(`The share of a blend lies in 0..1, got ${share}.`);
  return new Map(
    [...end].map(([name, value]) => {
      const from = start.get(name);
      if (from === undefined || from.data.length !== value.data.length)
        throw new RangeError(`"${name}" has no start of ${value.data.length} elements to be blended with.`);
      const [a, b] = [from.data as Float32Array, value.data as Float32Array];
      return [
        name,
        tensor(
          'float32',
          value.shape,
          a.map((x, i) => (1 - share) * x + share * b[i]!),
        ),
      ];
    }),
  );
}
