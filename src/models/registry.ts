import { InputError, suggestion } from '../core/errors.ts';
import { CONVNEXT_VARIANTS, convNeXt } from './convnext.ts';
import { digits } from './digits.ts';
import { efficientNetLite, efficientNetLiteInputSize } from './efficientnet-lite.ts';
import type { BuiltModel, NetworkOptions } from './layers.ts';
import { mobileNetV2 } from './mobilenet-v2.ts';
import { mobileNetV3 } from './mobilenet-v3.ts';
import { resnet } from './resnet.ts';
import { VIT_VARIANTS, vit } from './vit.ts';
import { wideResNet } from './wide-resnet.ts';

export interface BuildOptions extends Omit<NetworkOptions, 'inputSize'> {
  /** Side of the square input, in pixels. Default: the family's own. */
  readonly inputSize?: number;
  /**
   * Channels of the first stage (digits, ResNets), widening factor (Wide ResNets) or width multiplier
   * (MobileNets). Default: what the name says.
   */
  readonly width?: number;
  /** Layers, of the families whose name ends in a depth (`cifar_resnet`, `wide_resnet`). Default: what the name says. */
  readonly depth?: number;
}

interface Family {
  /** Matches the whole name; its groups are what `build` reads. */
  readonly pattern: RegExp;
  /** Names to list in messages and help. */
  readonly names: readonly string[];
  readonly description: string;
  /** Which of the options beyond the common ones mean something. */
  readonly accepts?: readonly ('width' | 'depth')[];
  inputSize(match: RegExpExecArray): number;
  build(match: RegExpExecArray, options: BuildOptions & { readonly inputSize: number }): BuiltModel;
}

const FAMILIES: readonly Family[] = [
  {
    pattern: /^digits(?:_(\d+))?$/,
    names: ['digits', 'digits_16', 'digits_48', 'digits_64'],
    description: 'six convolutions, for digits of about 28x28; the number is the width, else 32',
    accepts: ['width'],
    inputSize: () => 28,
    build: (match, options) => digits(match[0], { width: Number(match[1] ?? 32), ...options }),
  },
  {
    pattern: /^cifar_resnet(\d+)?$/,
    names: ['cifar_resnet8', 'cifar_resnet20', 'cifar_resnet32', 'cifar_resnet44', 'cifar_resnet56', 'cifar_resnet110'],
    description: 'ResNet of depth 6n+2 for 32x32',
    accepts: ['width', 'depth'],
    inputSize: () => 32,
    build(match, options) {
      const depth = options.depth ?? Number(match[1] ?? 20);
      if (depth < 8 || depth % 6 !== 2)
        throw new InputError(`A cifar_resnet has a depth of 6n+2 (8, 14, 20, ...), got ${depth}.`);
      const n = (depth - 2) / 6;
      return resnet(match[0], { width: 16, ...options, block: 'basic', depths: [n, n, n], stem: '3x3' });
    },
  },
  {
    pattern: /^resnet(18|34|50)(_3x3)?$/,
    names: ['resnet18', 'resnet34', 'resnet50', 'resnet18_3x3'],
    description: 'ResNet; with _3x3 the stem keeps the size, for images of about 32x32',
    accepts: ['width'],
    inputSize: (match) => (match[2] === undefined ? 224 : 32),
    build(match, options) {
      const depths = match[1] === '18' ? [2, 2, 2, 2] : [3, 4, 6, 3];
      const block = match[1] === '50' ? 'bottleneck' : 'basic';
      return resnet(match[0], { ...options, block, depths, stem: match[2] === undefined ? 'imagenet' : '3x3' });
    },
  },
  {
    pattern: /^wide_resnet(?:_(\d+)_(\d+))?$/,
    names: [
      'wide_resnet_16_2',
      'wide_resnet_16_4',
      'wide_resnet_28_2',
      'wide_resnet_28_4',
      'wide_resnet_28_10',
      'wide_resnet_40_2',
    ],
    description: 'Wide ResNet of depth 6n+4 and a widening factor, for 32x32',
    accepts: ['width', 'depth'],
    inputSize: () => 32,
    build(match, options) {
      const depth = options.depth ?? Number(match[1] ?? 28);
      const width = options.width ?? Number(match[2] ?? 2);
      if (depth < 10 || depth % 6 !== 4)
        throw new InputError(`A wide_resnet has a depth of 6n+4 (10, 16, 22, 28, ...), got ${depth}.`);
      return wideResNet(match[0], { ...options, depth, width });
    },
  },
  {
    pattern: /^mobilenetv2_(\d{3})$/,
    names: ['mobilenetv2_035', 'mobilenetv2_050', 'mobilenetv2_075', 'mobilenetv2_100', 'mobilenetv2_140'],
    description: 'MobileNetV2; the width multiplier in hundredths',
    accepts: ['width'],
    inputSize: () => 224,
    build: (match, options) => mobileNetV2(match[0], { width: Number(match[1]) / 100, ...options }),
  },
  {
    pattern: /^(tf_)?mobilenetv3_(small|large)_(\d{3})$/,
    names: [
      'mobilenetv3_small_050',
      'mobilenetv3_small_075',
      'mobilenetv3_small_100',
      'mobilenetv3_large_075',
      'mobilenetv3_large_100',
      'tf_mobilenetv3_small_100',
      'tf_mobilenetv3_large_100',
    ],
    description: "MobileNetV3; the width multiplier in hundredths; tf_ with TensorFlow's padding",
    accepts: ['width'],
    inputSize: () => 224,
    build: (match, options) =>
      mobileNetV3(match[0], {
        width: Number(match[3]) / 100,
        ...options,
        variant: match[2] as 'small' | 'large',
        tensorflow: match[1] !== undefined,
      }),
  },
  {
    pattern: /^(tf_)?efficientnet_lite([0-4])$/,
    names: [
      ...[0, 1, 2, 3, 4].map((i) => `efficientnet_lite${i}`),
      ...[0, 1, 2, 3, 4].map((i) => `tf_efficientnet_lite${i}`),
    ],
    description: "EfficientNet-Lite; tf_ with TensorFlow's padding",
    inputSize: (match) => efficientNetLiteInputSize(Number(match[2])),
    build: (match, options) =>
      efficientNetLite(match[0], {
        ...options,
        variant: Number(match[2]) as 0 | 1 | 2 | 3 | 4,
        tensorflow: match[1] !== undefined,
      }),
  },
  {
    pattern: /^convnext_(atto|femto|pico|nano|tiny)$/,
    names: Object.keys(CONVNEXT_VARIANTS).map((variant) => `convnext_${variant}`),
    description: 'ConvNeXt',
    inputSize: () => 224,
    build: (match, options) =>
      convNeXt(match[0], { ...options, ...CONVNEXT_VARIANTS[match[1] as keyof typeof CONVNEXT_VARIANTS] }),
  },
  {
    pattern: /^vit_(tiny|small)_patch(16)_(\d+)$/,
    names: ['vit_tiny_patch16_224', 'vit_small_patch16_224'],
    description: 'vision transformer',
    inputSize: (match) => Number(match[3]),
    build: (match, options) =>
      vit(match[0], { ...options, ...VIT_VARIANTS[match[1] as keyof typeof VIT_VARIANTS], patch: Number(match[2]) }),
  },
];

/** Names that `buildModel` takes, a line a family (patterns such as other depths are taken too). */
export const modelFamilies: readonly { readonly names: readonly string[]; readonly description: string }[] =
  FAMILIES.map(({ names, description }) => ({ names, description }));

/** Networks of a family, each with more parameters than the one before: deeper, wider or on larger images. */
export const growingFamilies: readonly (readonly string[])[] = [
  ['digits_16', 'digits', 'digits_48', 'digits_64'],
  ['cifar_resnet8', 'cifar_resnet20', 'cifar_resnet32', 'cifar_resnet56', 'cifar_resnet110'],
  ['resnet18', 'resnet34', 'resnet50'],
  ['wide_resnet_16_2', 'wide_resnet_28_2', 'wide_resnet_28_4', 'wide_resnet_28_10'],
  ['mobilenetv2_035', 'mobilenetv2_050', 'mobilenetv2_075', 'mobilenetv2_100', 'mobilenetv2_140'],
  [
    'mobilenetv3_small_050',
    'mobilenetv3_small_075',
    'mobilenetv3_small_100',
    'mobilenetv3_large_075',
    'mobilenetv3_large_100',
  ],
  ['tf_mobilenetv3_small_100', 'tf_mobilenetv3_large_100'],
  [0, 1, 2, 3, 4].map((i) => `efficientnet_lite${i}`),
  [0, 1, 2, 3, 4].map((i) => `tf_efficientnet_lite${i}`),
  Object.keys(CONVNEXT_VARIANTS).map((variant) => `convnext_${variant}`),
  ['vit_tiny_patch16_224', 'vit_small_patch16_224'],
];

/** Whether `buildModel` knows the name. */
export function isModelName(name: string): boolean {
  return FAMILIES.some((family) => family.pattern.test(name));
}

/** Side of the square input that the network `name` was made for, in pixels. @throws InputError for an unknown name. */
export function defaultInputSize(name: string): number {
  const { family, match } = findFamily(name);
  return family.inputSize(match);
}

/**
 * Builds a network by name, its weights drawn as its paper says, or all zero without a seed (to be
 * loaded). Input `input` [N, 3, S, S] float32, outputs `logits` [N, classes] and `embedding` [N, D].
 * @throws InputError for a name or depth that is not known, RangeError for a value out of range.
 * @example
 * const { graph, parameters } = buildModel('cifar_resnet20', { classes: 10, seed: 0 });
 */
export function buildModel(name: string, options: BuildOptions): BuiltModel {
  const { family, match } = findFamily(name);
  for (const key of ['width', 'depth'] as const)
    if (options[key] !== undefined && !family.accepts?.includes(key))
      throw new InputError(`${name} takes no ${key}: its name says all. ${family.names.join(', ')} exist.`);
  if (options.width !== undefined && !(options.width > 0))
    throw new RangeError(`width of ${name} must be above 0, got ${options.width}.`);
  return family.build(match, { ...options, inputSize: options.inputSize ?? family.inputSize(match) });
}

function findFamily(name: string): { family: Family; match: RegExpExecArray } {
  for (const family of FAMILIES) {
    const match = family.pattern.exec(name);
    if (match !== null) return { family, match };
  }
  const names = FAMILIES.flatMap((family) => family.names);
  throw new InputError(`There is no network "${name}"${suggestion(name, names)}. Known: ${names.join(', ')}.`);
}
