import type { Size } from '../../images/pixels.ts';
import { operation } from '../operation.ts';
import { samplingOf, samplingParameters } from '../sampling-parameters.ts';

/**
 * A lens that bends lines (Brown's radial model with k1 = k2, as OpenCV's `initUndistortRectifyMap` has it with focal
 * lengths of the image's width and height).
 */
export const opticalDistortion = operation({
  name: 'opticaldistortion',
  about: 'A lens that bends lines inwards or outwards',
  group: 'geometry',
  parameters: {
    k: {
      kind: 'range',
      about: 'radial coefficient; over 0 the image shrinks towards the centre',
      min: -1,
      max: 2,
      identity: 0,
      single: 'around',
      default: [-0.3, 0.3],
    },
    ...samplingParameters,
  },
  probability: 1,
  steps: ({ k, ...sampling }, { image }) => [
    { kind: 'remap', points: distortedPoints(image, k), ...samplingOf(sampling) },
  ],
  strength: { signed: true, at: (level, sign) => ({ k: sign * 0.6 * level }) },
});

function distortedPoints({ width, height }: Size, k: number): Float32Array {
  const points = new Float32Array(width * height * 2);
  for (let row = 0, to = 0; row < height; row++) {
    const y = (row + 0.5) / height - 0.5;
    for (let column = 0; column < width; column++, to += 2) {
      const x = (column + 0.5) / width - 0.5;
      const r2 = x * x + y * y;
      const factor = 1 + k * r2 * (1 + r2);
      points[to] = (x * factor + 0.5) * width;
      points[to + 1] = (y * factor + 0.5) * height;
    }
  }
  return points;
}
