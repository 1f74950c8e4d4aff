import type { PreprocessingSource } from './preprocessing-source.ts';

/**
 * Well-known public networks whose files do not say how they want their images. A family is recognised
 * by the name its authors gave the file *and* by what the graph shows (classes, input side), never by
 * one of them alone.
 */
interface Family {
  readonly title: string;
  /** Over the file's name without folder; a first group is the input's side. */
  readonly file: RegExp;
  /** Of the classifier; 1001 counts a background class. */
  readonly classes: readonly number[];
  values(side: number): PreprocessingSource['values'];
}

export interface Recognisable {
  readonly fileName: string;
  /** Of the classifier; undefined for a feature extractor. */
  readonly classes: number | undefined;
  /** The sides of the input that the graph fixes. */
  readonly side: number | undefined;
}

const scaled = (values: readonly [number, number, number]): [number, number, number] =>
  values.map((x) => x * 255) as [number, number, number];
const all = (value: number): [number, number, number] => [value, value, value];
const IMAGENET = { mean: scaled([0.485, 0.456, 0.406]), std: scaled([0.229, 0.224, 0.225]), channels: 'rgb' } as const;

const FAMILIES: readonly Family[] = [
  {
    // https://github.com/tensorflow/models/tree/master/research/slim: crop of 87.5 %, bilinear, quantized x/128 - 1.
    title: 'MobileNet V1 and V2 of TensorFlow (x/128 - 1)',
    file: /^mobilenet_v[12]_(?:0\.25|0\.35|0\.5|0\.50|0\.75|1\.0|1\.3|1\.4)_(\d+)\b/,
    classes: [1000, 1001],
    values: () => ({ mean: all(128), std: all(128), channels: 'rgb', interpolation: 'bilinear', cropFraction: 0.875 }),
  },
  {
    // https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite: (x - 127) / 128, crop padding 32.
    title: 'EfficientNet-Lite of TensorFlow ((x - 127) / 128)',
    file: /^efficientnet[-_]lite[0-4](?:[-_](\d{3}))?(?![\da-z])/,
    classes: [1000],
    values: (side) => ({
      mean: all(127),
      std: all(128),
      channels: 'rgb',
      interpolation: 'bicubic',
      cropFraction: side / (side + 32),
    }),
  },
  {
    title: "CIFAR-10 ResNets trained with ImageNet's mean and deviation",
    file: /^cifar10_resnet(?:20|32|44|56|110)\b/,
    classes: [10],
    values: () => ({ ...IMAGENET, interpolation: 'bilinear', cropFraction: 1 }),
  },
  {
    // https://github.com/onnx/models: resize to 256, crop 224.
    title: 'ONNX Model Zoo',
    file: /^(?:resnet(?:18|34|50|101|152)-v[12]|mobilenetv2|squeezenet1\.[01]|shufflenet-v2)-\d+\b/,
    classes: [1000],
    values: () => ({ ...IMAGENET, interpolation: 'bilinear', cropFraction: 0.875 }),
  },
];

/** The preprocessing of a well-known network, or undefined. */
export function knownFamily({ fileName, classes, side }: Recognisable): PreprocessingSource | undefined {
  for (const family of FAMILIES) {
    const match = family.file.exec(fileName);
    if (match === null || classes === undefined || !family.classes.includes(classes)) continue;
    const named = match[1] === undefined ? undefined : Number(match[1]);
    if (named !== undefined && side !== undefined && named !== side) continue;
    const size = side ?? named;
    if (size === undefined) continue;
    return {
      origin: `known family: ${family.title}, by the file's name, its ${classes} classes and its input of ${size}`,
      values: { inputSize: [size, size], resize: 'shorter-side', ...family.values(size) },
    };
  }
  return undefined;
}
