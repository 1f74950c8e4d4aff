import type { RandomStream } from '../../core/random.ts';
import type { Size } from '../../images/pixels.ts';
import { blurredPlane } from '../../images/blurred-plane.ts';
import { operation } from '../operation.ts';
import { samplingOf, samplingParameters } from '../sampling-parameters.ts';

/** Elastic deformation (Simard, Steinkraus and Platt, 2003): every pixel moves by blurred noise. */
export const elastic = operation({
  name: 'elastic',
  about: 'Every pixel moves by smooth noise, as in rubber',
  group: 'geometry',
  parameters: {
    alpha: {
      kind: 'range',
      about: 'pixels by which uniform noise of -1..1 moves, before it is blurred',
      min: 0,
      max: 1000,
      identity: 0,
      single: 'from identity',
      default: [0, 50],
    },
    sigma: { kind: 'number', about: 'standard deviation of the blur, in pixels', min: 0.5, max: 50, default: 5 },
    ...samplingParameters,
  },
  probability: 1,
  steps: ({ alpha, sigma, ...sampling }, { image, stream }) => [
    { kind: 'remap', points: movedPoints(image, alpha, sigma, stream), ...samplingOf(sampling) },
  ],
  strength: { signed: false, at: (level) => ({ alpha: 100 * level }) },
});

function movedPoints(size: Size, alpha: number, sigma: number, stream: RandomStream): Float32Array {
  const count = size.width * size.height;
  const noise = (): Float32Array => {
    const plane = new Float32Array(count);
    for (let i = 0; i < count; i++) plane[i] = stream.uniform() * 2 - 1;
    return blurredPlane(plane, size, sigma);
  };
  const [byX, byY] = [noise(), noise()];
  const points = new Float32Array(count * 2);
  for (let i = 0; i < count; i++) {
    points[i * 2] = (i % size.width) + 0.5 + alpha * byX[i]!;
    points[i * 2 + 1] = Math.floor(i / size.width) + 0.5 + alpha * byY[i]!;
  }
  return points;
}
