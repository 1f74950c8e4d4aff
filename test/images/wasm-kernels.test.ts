import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sharpness } from '../../src/augment/ops/sharpness.ts';
import { drawPolicy, parsePolicy } from '../../src/augment/policy.ts';
import { runSteps, toNormalisedPlanes } from '../../src/augment/run-steps.ts';
import type { PointMap, Step } from '../../src/augment/step.ts';
import { randomStream } from '../../src/core/random.ts';
import { fastKernels } from '../../src/images/fast-kernels.ts';
import { plainKernels, type Kernels } from '../../src/images/kernels.ts';
import type { Pixels } from '../../src/images/pixels.ts';
import { wasmKernels } from '../../src/images/wasm-kernels.ts';

const plain = plainKernels();
const wasm = built(wasmKernels());

/** Never the plain ones against themselves. */
function built(kernels: Kernels | undefined): Kernels {
  if (kernels === undefined) throw new Error('The kernels are not built, or there is no SIMD: run "npm run build".');
  return kernels;
}

function noise(width: number, height: number, seed: number): Pixels {
  const stream = randomStream('noise', seed);
  return { width, height, data: Uint8Array.from({ length: width * height * 3 }, () => stream.integer(256)) };
}

function same(steps: readonly Step[], image: Pixels): void {
  const [one, other] = [plain, wasm].map((kernels) => runSteps(steps, image, undefined, kernels));
  expect([other!.width, other!.height]).toEqual([one!.width, one!.height]);
  expect(one!.data.findIndex((value, i) => value !== other!.data[i])).toBe(-1);
}

const WHATEVER = { width: 1, height: 1 };

/** Of a byte of an image 12 pixels wide. */
const rowOf = (i: number): number => Math.floor(i / 36);

const sides = fc.integer({ min: 1, max: 70 });

describe('the kernels with SIMD', () => {
  it('are the ones that are used', () => {
    expect(fastKernels()).toBeInstanceOf(wasm.constructor);
  });

  const warps = [
    'rotate(180)',
    'scale(0.3..3)',
    'affine(180,0.5,0.5,0.2..5,40,20,fill=#123456)',
    'affine(180,0.5,0.5,0.2..5,40,20,bicubic,fill=mean)',
    'affine(180,antialias=off,fill=reflect)',
    'perspective(0.9)',
    'perspective(0.9,fill=edge)',
    'opticaldistortion',
    'flip',
    'quarterturn',
    'randomresizedcrop(33)',
    'randomresizedcrop(19,interpolation=bicubic)',
    'resize(41,exact)',
    'resize(12,exact,bicubic)',
    'resize(25,exact,antialias=off)',
    'randomcrop(30,padding=5)',
  ];

  it('warp to the same bytes as the plain ones', () => {
    fc.assert(
      fc.property(
        sides,
        sides,
        fc.array(fc.constantFrom(...warps), { minLength: 1, maxLength: 3 }),
        fc.nat(),
        (width, height, names, seed) => {
          const image = noise(width, height, seed);
          const site = { image, input: { width: 20, height: 21 }, stream: randomStream(seed), label: undefined };
          same(drawPolicy(parsePolicy(names.join('|')), site), image);
        },
      ),
      { numRuns: 250 },
    );
  });

  const number = (low: number, high: number) => fc.double({ min: low, max: high, noNaN: true });
  const map = fc.oneof<fc.Arbitrary<PointMap>[]>(
    fc.uint8Array({ minLength: 768, maxLength: 768 }).map((table) => ({ table })),
    fc
      .array(number(-2, 2), { minLength: 12, maxLength: 12 })
      .map((m) => ({ matrix: Float64Array.from(m, (value, i) => (i % 4 === 3 ? value * 60 : value)) })),
    number(-0.5, 0.5).map((hue) => ({ hue })),
  );

  it('change colours to the same bytes', () => {
    fc.assert(
      fc.property(
        sides,
        sides,
        fc.array(map, { minLength: 1, maxLength: 3 }),
        fc.nat(),
        (width, height, maps, seed) => {
          const steps = maps.map((one): Step => ({ kind: 'point', needs: 'nothing', make: () => one }));
          same(steps, noise(width, height, seed));
        },
      ),
      { numRuns: 200 },
    );
  });

  it('turn hues to the same bytes for every colour of a fine grid', () => {
    const data = Uint8Array.from({ length: 52 ** 3 * 3 }, (_, i) => {
      const colour = Math.floor(i / 3);
      return [colour % 52, Math.floor(colour / 52) % 52, Math.floor(colour / 2704)][i % 3]! * 5;
    });
    const image = { width: 52, height: 2704, data };
    for (const hue of [-0.5, -0.1, 0, 1 / 6, 1 / 3, 0.37, 0.5])
      same([{ kind: 'point', needs: 'nothing', make: () => ({ hue }) }], image);
    expect(runSteps([{ kind: 'point', needs: 'nothing', make: () => ({ hue: 0 }) }], image).data).toEqual(data);
  });

  it('sum channels', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 300 }),
        fc.integer({ min: 1, max: 300 }),
        fc.nat(),
        (width, height, seed) => {
          const image = noise(width, height, seed);
          const copy = wasm.take(image, { left: 0, top: 0, width, height });
          expect(wasm.channelSums(copy)).toEqual(plain.channelSums(image));
        },
      ),
      { numRuns: 20 },
    );
    const white = { width: 300, height: 300, data: new Uint8Array(270_000).fill(255) };
    const copy = wasm.take(white, { left: 0, top: 0, width: 300, height: 300 });
    expect(wasm.channelSums(copy)).toEqual([22_950_000, 22_950_000, 22_950_000]);
  });

  it('count the same values', () => {
    fc.assert(
      fc.property(sides, sides, fc.nat(), (width, height, seed) => {
        const image = noise(width, height, seed);
        const counts = plain.histograms(image);
        expect(wasm.histograms(wasm.take(image, { left: 0, top: 0, width, height }))).toEqual(counts);
        expect(counts[512 + image.data[2]!]).toBe(
          image.data.filter((value, i) => i % 3 === 2 && value === image.data[2]).length,
        );
      }),
      { numRuns: 50 },
    );
  });

  it('sharpen to the same bytes', () => {
    fc.assert(
      fc.property(sides, sides, number(0, 10), fc.nat(), (width, height, factor, seed) => {
        const steps = sharpness.steps({ factor }, { image: WHATEVER, input: WHATEVER, stream: randomStream(0) });
        same(steps, noise(width, height, seed));
      }),
      { numRuns: 100 },
    );
  });

  it('smooth all that nine bytes can add up to', () => {
    // Three by three pixels, of which only the middle one changes.
    for (let sum = 0; sum <= 13 * 255; sum++) {
      const data = new Uint8Array(27);
      let left = sum;
      const middle = Math.min(255, Math.floor(left / 5));
      left -= 5 * middle;
      for (let i = 0; i < 9; i++) {
        const value = i === 4 ? middle : Math.min(255, left);
        if (i !== 4) left -= value;
        data.fill(value, i * 3, i * 3 + 3);
      }
      const image = { width: 3, height: 3, data };
      const into = plain.buffer(image);
      plain.sharpen(image, 0, into);
      expect(into.data[12]).toBe(Math.round((sum - left) / 13));
      // Wide enough for whole vectors.
      const wide = {
        width: 12,
        height: 3,
        data: Uint8Array.from({ length: 108 }, (_, i) => data[rowOf(i) * 9 + (i % 9)]!),
      };
      const source = wasm.take(wide, { left: 0, top: 0, width: 12, height: 3 });
      const result = wasm.buffer(wide, source);
      wasm.sharpen(source, 0, result);
      expect(result.data[36 + 3]).toBe(into.data[12]);
    }
  });

  it('blend to the same bytes', () => {
    fc.assert(
      fc.property(
        sides,
        sides,
        fc.array(number(0.001, 1), { minLength: 1, maxLength: 11 }),
        fc.nat(),
        (width, height, shares, seed) => {
          const total = shares.reduce((sum, share) => sum + share, 0);
          const weights = shares.map((share) => share / total);
          const images = weights.map((_, k) => noise(width, height, seed + k));
          const [one, other] = [plain, wasm].map((kernels) => {
            const box = { left: 0, top: 0, width, height };
            const parts = images.map((image) => {
              const part = kernels.take(image, box);
              kernels.hold(part);
              return part;
            });
            const into = kernels.buffer(box);
            kernels.blend(parts, weights, into);
            for (const part of parts) kernels.release(part);
            return into.data.slice();
          });
          expect(one!.findIndex((value, i) => value !== other![i])).toBe(-1);
          const exact = weights.reduce((sum, weight, k) => sum + weight * images[k]!.data[0]!, 0);
          expect(Math.abs(one![0]! - exact)).toBeLessThan(0.501);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('mix chains of AugMix to the same bytes', () => {
    for (let seed = 0; seed < 30; seed++) {
      const image = noise(31, 22, seed);
      const site = { image, input: image, stream: randomStream(seed), label: undefined };
      const steps = drawPolicy(parsePolicy('augmix(8,width=4)|rotate(9)'), site);
      same(steps, image);
    }
  });

  it('keep what is held, and let it go again', () => {
    for (const kernels of [plain, wasm]) {
      const size = { width: 6, height: 5 };
      const held = kernels.buffer(size);
      held.data.fill(77);
      expect(kernels.ownsFreely(held)).toBe(true);
      kernels.hold(held);
      kernels.hold(held);
      kernels.release(held);
      expect([kernels.owns(held), kernels.ownsFreely(held)]).toEqual([true, false]);
      // Steps on it that write in place, copy, and grow the memory.
      const text =
        'brightness(0.5)|resize(300,exact)|hue(0.2)|sharpness(0.5)|rotate(5)|saturation(0.5)|resize(5,exact)';
      const site = { image: size, input: size, stream: randomStream(1), label: undefined };
      runSteps(drawPolicy(parsePolicy(text), site), held, undefined, kernels);
      expect(new Set(held.data)).toEqual(new Set([77]));
      kernels.release(held);
      kernels.buffer(size).data.fill(1);
      expect(new Set(held.data)).toEqual(new Set([1]));
    }
  });

  it('normalise into planes, mirrored too', () => {
    const [mean, std] = [
      [123.675, 116.28, 103.53],
      [58.395, 57.12, 57.375],
    ] as const;
    fc.assert(
      fc.property(sides, sides, fc.boolean(), fc.nat(), (width, height, mirrored, seed) => {
        const image = noise(width, height, seed);
        const [one, other] = [plain, wasm].map((kernels) =>
          toNormalisedPlanes(image, mean, std, { mirrored }, kernels),
        );
        expect(other).toEqual(one);
        const [x, y, c] = [Math.floor(width / 3), Math.floor(height / 2), 1];
        const from = mirrored ? width - 1 - x : x;
        expect(one![(c * height + y) * width + x]).toBeCloseTo(
          (image.data[(y * width + from) * 3 + c]! - mean[c]!) / std[c]!,
          5,
        );
      }),
      { numRuns: 50 },
    );
    const [steps, image] = [
      [{ kind: 'point', needs: 'nothing', make: () => ({ hue: 0.25 }) }] as Step[],
      noise(9, 7, 3),
    ];
    expect(toNormalisedPlanes(image, mean, std, { steps })).toEqual(
      toNormalisedPlanes(runSteps(steps, image), mean, std),
    );
    expect(() => toNormalisedPlanes(image, mean, std, { into: new Float32Array(190), offset: 2 })).toThrow(RangeError);
    const into = new Float32Array(20).fill(7);
    toNormalisedPlanes(noise(2, 2, 1), mean, std, { into, offset: 4 });
    expect(
      [...into]
        .map((value) => value === 7)
        .map(Number)
        .join(''),
    ).toBe('11110000000000001111');
  });

  it('write a result where it is wanted', () => {
    const image = noise(9, 7, 1);
    const steps: Step[] = [{ kind: 'point', needs: 'nothing', make: () => ({ hue: 0.25 }) }];
    const into = new Uint8Array(9 * 7 * 3 + 10);
    const result = runSteps(steps, image, { into, offset: 6 });
    expect(result.data.buffer).toBe(into.buffer);
    expect(into.subarray(6, -4)).toEqual(runSteps(steps, image).data);
    expect([...into.subarray(0, 6), ...into.subarray(-4)]).toEqual(Array(10).fill(0));
    expect(() => runSteps(steps, image, { into, offset: 20 })).toThrow(RangeError);
  });

  it('leave the image that they are given as it is', () => {
    const image = noise(40, 30, 2);
    const before = image.data.slice();
    const steps: Step[] = [
      { kind: 'point', needs: 'nothing', make: () => ({ hue: 0.25 }) },
      { kind: 'filter', run: (pixels) => ({ ...pixels, data: pixels.data.fill(3) }) },
    ];
    for (const part of [steps, steps.slice(1), steps.slice(0, 1)]) runSteps(part, image);
    expect(image.data).toEqual(before);
  });
});
