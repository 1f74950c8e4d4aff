import { multiply, translation, type Matrix3 } from '../../images/matrix.ts';
import { operation } from '../operation.ts';
import type { NumberParameter } from '../parameters.ts';
import { samplingOf, samplingParameters, warpBy } from '../sampling-parameters.ts';

/**
 * Any affine map as OpenCV's 2x3 matrix [[a, b, c], [d, e, f]]: what stands at (x, y) goes to (a x + b y + c, d x + e y + f),
 * in pixels, the centre of the first pixel being (0, 0).
 */
export const affineMatrix = operation({
  name: 'affinematrix',
  about: 'An affine map given as its 2x3 matrix, as OpenCV has it',
  group: 'geometry',
  parameters: {
    a: entry(1, 'x by x'),
    b: entry(0, 'x by y'),
    c: entry(0, 'x, in pixels'),
    d: entry(0, 'y by x'),
    e: entry(1, 'y by y'),
    f: entry(0, 'y, in pixels'),
    ...samplingParameters,
  },
  probability: 1,
  risk: 'turned',
  check: ({ a, b, d, e }) => {
    const determinant = (a as number) * (e as number) - (b as number) * (d as number);
    if (Math.abs(determinant) >= 1e-3) return undefined;
    return `the matrix folds the image into a line: a e - b d must be 0.001 or more (or -0.001 or less), got ${determinant}.`;
  },
  steps: ({ a, b, c, d, e, f, ...sampling }, { image }) => {
    const onIndices: Matrix3 = [a, b, c, d, e, f, 0, 0, 1];
    const forward = multiply(translation(0.5, 0.5), multiply(onIndices, translation(-0.5, -0.5)));
    return [warpBy(forward, image, samplingOf(sampling))];
  },
});

function entry(identity: number, about: string) {
  return { kind: 'number', about, min: -10_000, max: 10_000, default: identity } as const satisfies NumberParameter;
}
