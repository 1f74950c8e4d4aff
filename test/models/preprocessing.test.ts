import { readFileSync } from 'node:fs';
import * as ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../src/core/errors.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { writeModel } from '../../src/onnx/write.ts';
import {
  addCrop,
  addNormalise,
  describePreprocessing,
  MAX_ASPECT,
  parsePreprocessing,
  type Preprocessing,
  type PreprocessingInput,
} from '../../src/models/preprocessing.ts';

const PLAIN = { inputSize: [16, 16], mean: [128, 128, 128], std: [128, 128, 128] } as const;

interface GoldenCase {
  readonly height: number;
  readonly width: number;
  readonly spec: Partial<PreprocessingInput>;
  readonly crop: string;
}

const golden = JSON.parse(
  readFileSync(new URL('./golden/preprocessing.json', import.meta.url), 'utf8'),
) as readonly GoldenCase[];

/** The picture of golden/preprocessing.py. */
function picture(height: number, width: number): Uint8Array {
  const pixels = new Uint8Array(height * width * 3);
  for (let y = 0, i = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let c = 0; c < 3; c++, i++)
        pixels[i] = x * 7 + y * 13 + c * 29 + ((x * y) % 31) * 5 + ((Math.floor(x / 5) + Math.floor(y / 7)) % 2) * 90;
  return pixels;
}

async function open(spec: Preprocessing): Promise<ort.InferenceSession> {
  const b = new GraphBuilder('preprocessing');
  const crop = addCrop(b, b.input('image', 'uint8', ['N', 'H', 'W', 3]), spec);
  b.output(crop, 'crop');
  b.output(addNormalise(b, crop, spec), 'network_input');
  return ort.InferenceSession.create(writeModel({ graph: b.build() }), { logSeverityLevel: 3 });
}

async function run(session: ort.InferenceSession, pixels: Uint8Array, shape: readonly number[]) {
  const { crop, network_input: input } = await session.run({ image: new ort.Tensor('uint8', pixels, shape) });
  return { crop: crop!, input: input! };
}

function difference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let worst = 0;
  for (let i = 0; i < a.length; i++) worst = Math.max(worst, Math.abs(a[i]! - b[i]!));
  return worst;
}

describe('addCrop', () => {
  for (const key of new Set(golden.map(({ spec }) => JSON.stringify(spec))))
    it(`gives Pillow's pixels to one grey level, rarely two: ${key}`, async () => {
      const cases = golden.filter(({ spec }) => JSON.stringify(spec) === key);
      const session = await open(parsePreprocessing({ ...PLAIN, ...cases[0]!.spec }, 'test'));
      let values = 0;
      let overOne = 0;
      for (const { height, width, crop: expected } of cases) {
        const { crop } = await run(session, picture(height, width), [1, height, width, 3]);
        const where = `${height}x${width}`;
        expect(crop.dims, where).toEqual([1, ...cases[0]!.spec.inputSize!, 3]);
        const differences = Buffer.from(expected, 'base64').map((x, i) => Math.abs(x - (crop.data as Uint8Array)[i]!));
        expect(Math.max(...differences), where).toBeLessThanOrEqual(2);
        values += differences.length;
        overOne += differences.filter((d) => d > 1).length;
      }
      expect(overOne / values).toBeLessThan(1e-3);
    });

  it('gives an image the same bytes alone and in a batch', async () => {
    const session = await open(parsePreprocessing(PLAIN, 'test'));
    const [one, two] = [picture(40, 60), picture(40, 60).toReversed()];
    const both = await run(session, Buffer.concat([one, two]), [2, 40, 60, 3]);
    const alone = await Promise.all([one, two].map((pixels) => run(session, pixels, [1, 40, 60, 3])));
    expect([...(both.crop.data as Uint8Array)]).toEqual(alone.flatMap(({ crop }) => [...(crop.data as Uint8Array)]));
  });

  it(`looks at no more than ${MAX_ASPECT} times the shorter side, around the middle`, async () => {
    const session = await open(parsePreprocessing(PLAIN, 'test'));
    const height = 2;
    const long = picture(height, 1000);
    const kept = height * MAX_ASPECT;
    const start = (1000 - kept) / 2;
    const middle = Buffer.concat(
      [0, 1].map((y) => long.subarray((y * 1000 + start) * 3, (y * 1000 + start + kept) * 3)),
    );
    const whole = await run(session, long, [1, height, 1000, 3]);
    const cropped = await run(session, new Uint8Array(middle), [1, height, kept, 3]);
    expect(whole.crop.data).toEqual(cropped.crop.data);
  });
});

describe('addNormalise', () => {
  const mean = [123.675, 116.28, 103.53] as const;
  const std = [58.395, 57.12, 57.375] as const;
  for (const channels of ['rgb', 'bgr'] as const)
    for (const layout of ['nchw', 'nhwc'] as const)
      it(`gives (x - mean) / std for ${channels}, ${layout}`, async () => {
        const session = await open(parsePreprocessing({ ...PLAIN, mean, std, channels, layout }, 'test'));
        const pixels = picture(16, 16);
        const { crop, input } = await run(session, pixels, [1, 16, 16, 3]);
        expect(crop.data).toEqual(pixels);
        const expected = new Float32Array(pixels.length);
        for (let i = 0; i < 256; i++)
          for (let c = 0; c < 3; c++) {
            const value = (pixels[i * 3 + (channels === 'rgb' ? c : 2 - c)]! - mean[c]!) / std[c]!;
            expected[layout === 'nchw' ? c * 256 + i : i * 3 + c] = value;
          }
        expect(input.dims).toEqual(layout === 'nchw' ? [1, 3, 16, 16] : [1, 16, 16, 3]);
        expect(difference(input.data as Float32Array, expected)).toBeLessThan(1e-6);
      });

  it('is exact where mean and std are powers of two', async () => {
    const session = await open(parsePreprocessing({ ...PLAIN, layout: 'nhwc' }, 'test'));
    const { input } = await run(session, picture(16, 16), [1, 16, 16, 3]);
    expect([...(input.data as Float32Array)]).toEqual([...picture(16, 16)].map((x) => x / 128 - 1));
  });
});

describe('parsePreprocessing', () => {
  it('fills in defaults', () => {
    expect(parsePreprocessing(PLAIN, 'test')).toEqual({
      ...PLAIN,
      resize: 'shorter-side',
      cropFraction: 1,
      interpolation: 'bicubic',
      channels: 'rgb',
      layout: 'nchw',
    });
  });

  it.each([
    [{ ...PLAIN, interpolatoin: 'bicubic' }, /model\.json.*did you mean "interpolation"/],
    [{ ...PLAIN, std: [1, 0, 1] }, /std: must be over 0/],
    [{ ...PLAIN, mean: [1, 2] }, /mean/],
    [{ ...PLAIN, inputSize: [0, 16], cropFraction: 2 }, /inputSize\.0.*cropFraction/],
    [{ ...PLAIN, interpolation: 'lanczos' }, /interpolation/],
    [undefined, /the whole/],
  ])('refuses %j', (value, message) => {
    const parse = (): unknown => parsePreprocessing(value, 'model.json');
    expect(parse).toThrow(InputError);
    expect(parse).toThrow(message);
  });
});

describe('describePreprocessing', () => {
  it.each([
    [{}, '16x16 RGB, shorter side to 16 (bicubic), centre crop, (x - 128) / 128, NCHW'],
    [{ cropFraction: 0.875 }, '16x16 RGB, shorter side to 18 (bicubic), centre crop, (x - 128) / 128, NCHW'],
    [
      { inputSize: [16, 32] as const, channels: 'bgr' as const, mean: [1, 2, 3] as const },
      '16x32 BGR, scaled to cover 16x32 (bicubic), centre crop, (x - [1, 2, 3]) / 128, NCHW',
    ],
    [
      { resize: 'stretch' as const, layout: 'nhwc' as const, interpolation: 'bilinear' as const },
      '16x16 RGB, stretched to 16x16 (bilinear), (x - 128) / 128, NHWC',
    ],
  ])('says %j in a line', (spec, line) => {
    expect(describePreprocessing(parsePreprocessing({ ...PLAIN, ...spec }, 'test'))).toBe(line);
  });
});
