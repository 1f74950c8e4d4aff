import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { measureColour } from '../../src/audit/colour.ts';
import { measureDetail } from '../../src/audit/detail.ts';
import { greyPlane } from '../../src/audit/grey-plane.ts';
import { measureOrientation } from '../../src/audit/orientation.ts';
import { marginsOf, measureSubject } from '../../src/audit/subject.ts';
import { randomStream } from '../../src/core/random.ts';
import { jpegQuality } from '../../src/images/jpeg-quality.ts';
import type { Pixels } from '../../src/images/pixels.ts';
import { scene } from './toy.ts';

const plain = (side: number, colour: (x: number, y: number) => readonly [number, number, number]): Pixels => {
  const data = new Uint8Array(side * side * 3);
  for (let i = 0; i < side * side; i++) data.set(colour(i % side, Math.floor(i / side)), 3 * i);
  return { width: side, height: side, data };
};

describe('measureColour', () => {
  it('gives the luma of a plain image, no contrast, and the percentiles of a ramp', () => {
    const grey = measureColour(plain(8, () => [100, 100, 100]));
    expect(grey.brightness).toBeCloseTo(100, 6);
    expect(grey.contrast).toBeCloseTo(0, 6);
    expect(grey.saturation).toBe(0);
    const ramp = measureColour(plain(256, (x) => [x, x, x]));
    expect(ramp.brightness).toBeCloseTo(127.5, 6);
    // The standard deviation of 0..255, each as often.
    expect(ramp.contrast).toBeCloseTo(Math.sqrt((256 ** 2 - 1) / 12), 6);
    expect(ramp.dark).toBeCloseTo(0.05 * 256 - 0.5, 6);
    expect(ramp.light).toBeCloseTo(0.95 * 256 - 0.5, 6);
  });

  it('tells warm from blue and green from magenta, whatever the light', () => {
    const [warm, dim, blue, green] = [
      [200, 120, 60],
      [100, 60, 30],
      [60, 120, 200],
      [60, 200, 60],
    ].map((colour) => measureColour(plain(4, () => colour as [number, number, number])));
    expect(warm!.warmth).toBeCloseTo(Math.log2(201 / 61), 6);
    expect(dim!.warmth).toBeCloseTo(warm!.warmth, 1);
    expect(blue!.warmth).toBeCloseTo(-warm!.warmth, 6);
    expect(green!.tint).toBeGreaterThan(1.5);
    expect(warm!.saturation).toBeCloseTo(0.7, 6);
    expect(dim!.saturation).toBeCloseTo(0.7, 6);
  });
});

describe('measureDetail', () => {
  const stream = randomStream('grain');
  const noisy = (sigma: number): Pixels =>
    plain(128, (x, y) => {
      const value = Math.round(100 + 0.4 * x + 0.2 * y + sigma * stream.normal());
      return [value, value, value];
    });

  it.each([4, 8, 16])('estimates grain of %d grey levels on a slope to a tenth', (sigma) => {
    expect(2 ** measureDetail(greyPlane(noisy(sigma))).noise - 0.25).toBeCloseTo(sigma, -Math.log10(0.2 * sigma));
  });

  it('finds an image less sharp once it is blurred, and as sharp at half of the contrast', async () => {
    const image = scene({ side: 96, grain: 0 });
    const raw = { raw: { width: 96, height: 96, channels: 3 as const } };
    const blurred = await sharp(image.data, raw).blur(2).raw().toBuffer();
    const flat = { ...image, data: image.data.map((value) => Math.round(value / 2)) };
    const sharpness = measureDetail(greyPlane(image)).sharpness;
    expect(measureDetail(greyPlane({ ...image, data: new Uint8Array(blurred) })).sharpness).toBeLessThan(sharpness - 2);
    expect(Math.abs(measureDetail(greyPlane(flat)).sharpness - sharpness)).toBeLessThan(0.1);
  });
});

describe('measureOrientation', () => {
  const at = (angle: number) => measureOrientation(greyPlane(scene({ side: 160, angle, grain: 0 })));

  it.each([0, 8, 15, 30, -20])('turns the pair of axes and slant by four times %d degrees', (angle) => {
    const { axes, slant } = at(angle);
    const strength = Math.hypot(axes, slant);
    expect(strength).toBeGreaterThan(0.5);
    // Rows run downwards: counter-clockwise is negative.
    const turned = (-Math.atan2(slant, axes) * 180) / Math.PI / 4;
    expect(turned).toBeCloseTo(angle, -0.5);
  });

  it('changes signs under a quarter turn and under mirroring', () => {
    const [upright, turned] = [at(0), at(90)];
    expect(turned.upright).toBeCloseTo(-upright.upright, 1);
    expect(turned.axes).toBeCloseTo(upright.axes, 1);
    const lit = measureOrientation(greyPlane(plain(64, (x) => [4 * x, 4 * x, 4 * x])));
    const mirrored = measureOrientation(greyPlane(plain(64, (x) => [252 - 4 * x, 252 - 4 * x, 252 - 4 * x])));
    expect(lit.leftRight).toBeLessThan(-1);
    expect(mirrored.leftRight).toBeCloseTo(-lit.leftRight, 6);
    expect(lit.topBottom).toBeCloseTo(0, 6);
  });
});

describe('measureSubject', () => {
  it.each([
    [0, 0, 0.3],
    [0.2, -0.1, 0.3],
    [-0.25, 0.15, 0.25],
    [0, 0.1, 0.6],
  ])('finds a rectangle at %f, %f of size %f', (x, y, size) => {
    const found = measureSubject(scene({ x, y, size, side: 128 }));
    expect(found.subjectX).toBeCloseTo(x, 1.5);
    expect(found.subjectY).toBeCloseTo(y, 1.5);
    expect(found.subjectSize).toBeCloseTo(size, 1);
  });

  it('is not led astray by black margins, and measures them', () => {
    const image = scene({ x: 0.15, size: 0.3, side: 128, grain: 8 });
    for (let row = 0; row < 128; row++) image.data.fill(0, row * 384, row * 384 + 96);
    const found = measureSubject(image);
    // Grain near the right corners' colours adds a little.
    expect(found.flatBorder).toBeCloseTo(0.25, 1.5);
    expect(found.subjectX).toBeCloseTo(0.15, 1.5);
    expect(marginsOf(image).corners).toEqual([[0, 0, 0]]);
  });

  it('says where nothing stands out', () => {
    expect(measureSubject(plain(64, () => [120, 130, 140])).subjectX).toBeNaN();
  });
});

describe('jpegQuality', () => {
  it.each(Array.from({ length: 100 }, (_, i) => i + 1))('reads quality %d from what libjpeg wrote', async (quality) => {
    const { width, height, data } = scene({ side: 32 });
    const bytes = await sharp(data, { raw: { width, height, channels: 3 } })
      .jpeg({ quality })
      .toBuffer();
    expect(jpegQuality(bytes)).toBe(quality);
  });

  it('says nothing of a file without tables', () => {
    expect(jpegQuality(new Uint8Array([0xff, 0xd8, 0xff, 0xd9]))).toBeUndefined();
    expect(jpegQuality(new Uint8Array(3))).toBeUndefined();
  });
});
