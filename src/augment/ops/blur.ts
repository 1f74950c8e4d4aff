import { convolveSeparable } from '../convolve.ts';
import { operation } from '../operation.ts';

/** Gaussian blur; the kernel is cut off where OpenCV's `GaussianBlur` cuts it: 3 standard deviations on either side. */
export const blur = operation({
  name: 'blur',
  about: 'Out of focus: Gaussian blur',
  group: 'blur',
  parameters: {
    sigma: {
      kind: 'range',
      about: 'standard deviation in pixels',
      min: 0,
      max: 50,
      identity: 0,
      single: 'from identity',
      default: [0.1, 2],
    },
  },
  probability: 0.5,
  steps: ({ sigma }) => {
    const weights = gaussian(sigma);
    // What is narrower than this leaves each byte as it is.
    if (weights.length === 1) return [];
    return [
      {
        kind: 'filter',
        run: (image) => {
          convolveSeparable(image, weights);
          return image;
        },
      },
    ];
  },
  strength: { signed: false, at: (level) => ({ sigma: 4 * level }) },
});

/** Of the centre and of the neighbours to one side. */
function gaussian(sigma: number): number[] {
  if (sigma === 0) return [1];
  const reach = Math.max(1, Math.floor(Math.round(sigma * 6 + 1) / 2));
  return Array.from({ length: reach + 1 }, (_, i) => Math.exp((-0.5 * i * i) / (sigma * sigma))).filter(
    (weight) => weight > 1e-5,
  );
}
