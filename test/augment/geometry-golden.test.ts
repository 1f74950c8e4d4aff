import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { cropAt } from '../../src/augment/crop-parameters.ts';
import { quadrilateral, rectangle } from '../../src/augment/homography.ts';
import { drawPolicy, parsePolicy } from '../../src/augment/policy.ts';
import { runSteps } from '../../src/augment/run-steps.ts';
import { warpBy } from '../../src/augment/sampling-parameters.ts';
import type { Step } from '../../src/augment/step.ts';
import { randomStream } from '../../src/core/random.ts';
import { blurredPlane } from '../../src/images/blurred-plane.ts';
import { invert, multiply, scaling } from '../../src/images/matrix.ts';
import type { Interpolation } from '../../src/images/sample.ts';

interface Golden {
  witness: string;
  width: number;
  height: number;
  pixels: string;
  /** 1 where all neighbours lie in the image: the borders differ from library to library. */
  inside?: string;
  exact?: boolean;
  policy?: string;
  corners?: Quad;
  points?: string;
  to?: [number, number];
  box?: [number, number, number, number];
  side?: number;
  interpolation?: Interpolation;
}
type Quad = Parameters<typeof quadrilateral>[0];

const golden = JSON.parse(readFileSync(new URL('golden/geometry.json', import.meta.url), 'utf8')) as {
  width: number;
  height: number;
  image: string;
  blurred: { sigma: number; plane: number[] };
  cases: Golden[];
};
const { width, height } = golden;
const image = { width, height, data: bytes(golden.image) };

function bytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'));
}

function stepsOf({ policy, corners, points, to, box, side, interpolation = 'bilinear' }: Golden): readonly Step[] {
  const sampling = { interpolation, antialias: true, fill: [1, 2, 3] as const };
  if (corners !== undefined)
    return [
      warpBy(multiply(quadrilateral(corners), invert(rectangle(image))), image, { ...sampling, antialias: false }),
    ];
  if (points !== undefined) return [{ kind: 'remap', points: new Float32Array(bytes(points).buffer), ...sampling }];
  if (to !== undefined)
    return [warpBy(scaling(to[0] / width, to[1] / height), { width: to[0], height: to[1] }, sampling)];
  if (box !== undefined) {
    const [left, top, right, bottom] = box;
    const size = { width: right - left, height: bottom - top };
    const result = { width: side!, height: side! };
    return [
      cropAt(left, top, size, 'edge'),
      warpBy(scaling(side! / size.width, side! / size.height), result, { ...sampling, fill: 'edge' }),
    ];
  }
  const site = { image, input: { width: 8, height: 8 }, stream: randomStream(1), label: undefined };
  return drawPolicy(parsePolicy(policy!), site);
}

function nameOf({ witness, policy, corners, points, to, box, side, interpolation }: Golden): string {
  return `${policy ?? JSON.stringify({ corners, points: points && 'random', to, box, side, interpolation })} as ${witness}`;
}

describe('geometry', () => {
  // One grey level: Pillow and we round to bytes between rows and columns, the others don't; points lie on a grid of
  // 1/256 of a pixel here, and on other grids there.
  it.each(golden.cases.map((one) => [nameOf(one), one] as const))('%s', (_, one) => {
    const result = runSteps(stepsOf(one), image);
    expect([result.width, result.height]).toEqual([one.width, one.height]);
    const expected = bytes(one.pixels);
    const inside = one.inside === undefined ? undefined : bytes(one.inside);
    const compared = [...expected.keys()].filter((i) => inside === undefined || inside[Math.floor(i / 3)] === 1);
    expect(compared.length).toBeGreaterThan(expected.length * 0.3);
    const worst = Math.max(...compared.map((i) => Math.abs(expected[i]! - result.data[i]!)));
    expect(worst).toBeLessThanOrEqual(one.exact ? 0 : 1);
  });

  it('blurs a plane as OpenCV does', () => {
    const plane = Float32Array.from({ length: width * height }, (_, i) => image.data[i * 3 + 2]!);
    const blurred = blurredPlane(plane, image, golden.blurred.sigma);
    // The golden values have three decimals.
    expect(Math.max(...golden.blurred.plane.map((value, i) => Math.abs(value - blurred[i]!)))).toBeLessThan(2e-3);
  });
});
