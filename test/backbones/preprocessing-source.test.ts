import { describe, expect, test } from 'vitest';
import { InputError } from '../../src/core/errors.ts';
import { knownFamily } from '../../src/backbones/known-families.ts';
import { processorPreprocessing, timmPreprocessing } from '../../src/backbones/preprocessing-source.ts';
import { resolvePreprocessing } from '../../src/backbones/resolve-preprocessing.ts';

const imagenet = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

describe("timm's config.json", () => {
  // https://huggingface.co/timm/mobilenetv3_small_050.lamb_in1k/blob/main/config.json, shortened.
  const config = {
    architecture: 'mobilenetv3_small_050',
    num_classes: 1000,
    pretrained_cfg: {
      input_size: [3, 224, 224],
      interpolation: 'bicubic',
      crop_pct: 0.875,
      crop_mode: 'center',
      ...imagenet,
    },
  };

  test('is read from pretrained_cfg, on the scale 0 to 255', () => {
    expect(timmPreprocessing(config, 'config.json')!.values).toEqual({
      inputSize: [224, 224],
      mean: [123.675, 116.28, 103.53],
      std: [58.395, 57.120000000000005, 57.375],
      interpolation: 'bicubic',
      resize: 'shorter-side',
      cropFraction: 0.875,
      channels: 'rgb',
    });
  });

  test('is read from the top level of older files, and squash is a stretch', () => {
    const older = { architecture: 'x', ...config.pretrained_cfg, crop_mode: 'squash', crop_pct: 1 };
    expect(timmPreprocessing(older, 'c')!.values).toMatchObject({
      inputSize: [224, 224],
      resize: 'stretch',
      cropFraction: 1,
    });
  });

  test('other files are not taken for it; what is not supported is an error', () => {
    expect(timmPreprocessing({ model_type: 'vit' }, 'c')).toBeUndefined();
    expect(timmPreprocessing(undefined, 'c')).toBeUndefined();
    const border = { pretrained_cfg: { ...config.pretrained_cfg, crop_mode: 'border' } };
    expect(() => timmPreprocessing(border, 'c')).toThrow(InputError);
  });
});

const values = (config: object): object => processorPreprocessing(config, 'p')!.values;

describe("transformers' preprocessor_config.json", () => {
  test('ViT: a stretch to a square, (x / 255 - 0.5) / 0.5', () => {
    const vit = {
      do_normalize: true,
      do_resize: true,
      image_mean: [0.5, 0.5, 0.5],
      image_std: [0.5, 0.5, 0.5],
      resample: 2,
      size: 224,
    };
    expect(values(vit)).toEqual({
      channels: 'rgb',
      mean: [127.5, 127.5, 127.5],
      std: [127.5, 127.5, 127.5],
      interpolation: 'bilinear',
      inputSize: [224, 224],
      resize: 'stretch',
      cropFraction: 1,
    });
  });

  test('MobileNet, DINOv2: shorter side, then a centre crop', () => {
    const config = {
      do_center_crop: true,
      crop_size: { height: 224, width: 224 },
      size: { shortest_edge: 256 },
      image_mean: imagenet.mean,
      image_std: imagenet.std,
      resample: 3,
    };
    expect(values(config)).toMatchObject({
      inputSize: [224, 224],
      resize: 'shorter-side',
      cropFraction: 0.875,
      interpolation: 'bicubic',
    });
    expect(values({ ...config, do_center_crop: false })).toMatchObject({ inputSize: [256, 256], cropFraction: 1 });
  });

  test('ConvNeXt: resize to size / crop_pct below 384 pixels, a stretch from there on', () => {
    const config = {
      image_processor_type: 'ConvNextImageProcessor',
      crop_pct: 0.875,
      do_normalize: true,
      image_mean: [0],
      image_std: [1],
    };
    expect(values({ ...config, size: { shortest_edge: 224 } })).toMatchObject({
      inputSize: [224, 224],
      resize: 'shorter-side',
      cropFraction: 0.875,
    });
    expect(values({ ...config, size: { shortest_edge: 384 } })).toMatchObject({
      inputSize: [384, 384],
      resize: 'stretch',
      cropFraction: 1,
    });
  });

  test('every way of scaling gives the same numbers as the processor', () => {
    const image_mean = [0.1, 0.2, 0.3];
    const image_std = [0.4, 0.5, 0.6];
    for (const [config, processed] of [
      [{ image_mean, image_std }, (x: number, c: number) => (x / 255 - image_mean[c]!) / image_std[c]!],
      [
        { image_mean, image_std, rescale_factor: 1 / 127.5, rescale_offset: true },
        (x: number, c: number) => (x / 127.5 - 1 - image_mean[c]!) / image_std[c]!,
      ],
      [{ image_mean, image_std, do_rescale: false }, (x: number, c: number) => (x - image_mean[c]!) / image_std[c]!],
      [{ do_normalize: false }, (x: number) => x / 255],
      [{ do_normalize: false, do_rescale: false }, (x: number) => x],
    ] as [object, (x: number, c: number) => number][]) {
      const { mean, std } = values(config) as { mean: number[]; std: number[] };
      for (const c of [0, 1, 2])
        for (const x of [0, 77, 255]) expect((x - mean[c]!) / std[c]!).toBeCloseTo(processed(x, c), 9);
    }
  });

  test('a normalisation without numbers declares none', () => {
    expect(values({ do_normalize: true, size: 224 })).not.toHaveProperty('mean');
    expect(processorPreprocessing({ tokenizer_class: 'x' }, 'p')).toBeUndefined();
  });

  test('a resampling that is not supported is an error with the way out', () => {
    expect(() => processorPreprocessing({ do_normalize: false, resample: 1 }, 'p')).toThrow(
      /"lanczos" is not supported.*--interpolation/,
    );
  });
});

const known = (fileName: string, classes: number | undefined, side: number | undefined): object | undefined =>
  knownFamily({ fileName, classes, side })?.values;

describe('knownFamily', () => {
  test('goes by the name and by what the graph shows', () => {
    expect(known('mobilenet_v2_1.0_224.onnx', 1001, 224)).toMatchObject({
      mean: [128, 128, 128],
      std: [128, 128, 128],
      inputSize: [224, 224],
    });
    expect(known('mobilenet_v1_0.25_128.onnx', 1001, 128)).toMatchObject({
      inputSize: [128, 128],
      cropFraction: 0.875,
    });
    expect(known('efficientnet_lite0_224.onnx', 1000, 224)).toMatchObject({
      mean: [127, 127, 127],
      cropFraction: 0.875,
    });
    expect(known('cifar10_resnet56.onnx', 10, 32)).toMatchObject({ mean: [123.675, 116.28, 103.53], cropFraction: 1 });
    expect(known('resnet18-v1-7.onnx', 1000, 224)).toMatchObject({ interpolation: 'bilinear' });
  });

  test.each([
    ['mobilenet_v2_1.0_224.onnx', 10, 224],
    ['mobilenet_v2_1.0_224.onnx', 1001, 192],
    ['mobilenet_v2_1.0_224.onnx', undefined, 224],
    ['my_mobilenet.onnx', 1001, 224],
    ['efficientnet_lite0_finetuned.onnx', 1000, undefined],
    ['cifar10_resnet20.onnx', 100, 32],
  ])('%s with %s classes and input %s is not known', (name, classes, side) => {
    expect(known(name, classes, side)).toBeUndefined();
  });
});

describe('resolvePreprocessing', () => {
  test('takes each value from the first source that has it, and says from where', () => {
    const resolved = resolvePreprocessing(
      [
        { origin: '--mean', values: { mean: [1, 2, 3] } },
        { origin: 'config.json', values: { mean: [9, 9, 9], std: [4, 5, 6], inputSize: [64, 64] } },
      ],
      'x.onnx',
    );
    expect(resolved.preprocessing).toMatchObject({
      mean: [1, 2, 3],
      std: [4, 5, 6],
      inputSize: [64, 64],
      channels: 'rgb',
    });
    expect(resolved.source).toContain('mean: --mean;');
    expect(resolved.source).toContain('inputSize, std: config.json');
    expect(resolved.source).toContain('layout: default');
  });

  test('names everything that is missing, with its flag', () => {
    expect(() => resolvePreprocessing([], 'x.onnx')).toThrow(InputError);
    expect(() => resolvePreprocessing([], 'x.onnx')).toThrow(
      /preprocessing of x.onnx is not known: it does not declare inputSize, mean, std.*--input-size, --mean, --std/,
    );
  });
});
