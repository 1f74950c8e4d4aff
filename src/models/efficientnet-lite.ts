import { uniformFanOut } from './initialise.ts';
import { blockStages, convNorm, repeated, type Block, type BlockStyle } from './inverted-residual.ts';
import { Layers, type BuiltModel, type NetworkOptions } from './layers.ts';

export interface EfficientNetLiteOptions extends NetworkOptions {
  readonly variant: 0 | 1 | 2 | 3 | 4;
  /** TensorFlow's padding and batch-norm epsilon. Default false. */
  readonly tensorflow?: boolean;
}

/** Width and depth multiplier and input side of each variant. */
const SCALING = [
  [1.0, 1.0, 224],
  [1.0, 1.1, 240],
  [1.1, 1.2, 260],
  [1.2, 1.4, 280],
  [1.4, 1.8, 300],
] as const;

/** Kernel, stride, channels, repeats: EfficientNet-B0's table (the expansion is 6) behind its first stage. */
const TABLE = [
  [3, 2, 24, 2],
  [5, 2, 40, 2],
  [3, 2, 80, 3],
  [5, 1, 112, 3],
  [5, 2, 192, 4],
  [3, 1, 320, 1],
] as const;

export function efficientNetLiteInputSize(variant: number): number {
  return SCALING[variant]![2];
}

/**
 * EfficientNet-Lite: EfficientNet without squeeze-and-excitation, with ReLU6, and with stem, head, first
 * and last stage not scaled in depth. Tan and Le 2019, https://arxiv.org/abs/1905.11946; the lite variants
 * are described at https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite
 */
export function efficientNetLite(name: string, options: EfficientNetLiteOptions): BuiltModel {
  const { variant, tensorflow = false } = options;
  const [width, depth] = SCALING[variant];
  const layers = new Layers(name, options);
  const style: BlockStyle = { activation: 'relu6', tensorflow, width };
  const stages: Block[][] = [
    [{ kind: 'separable', kernel: 3, stride: 1, out: 16 }],
    ...TABLE.map(([kernel, stride, out, count], i) => {
      const repeats = i === TABLE.length - 1 ? count : Math.ceil(count * depth);
      return repeated(repeats, { kind: 'inverted', kernel, stride, expansion: 6, out });
    }),
  ];
  const stem = { out: 32, kernel: 3, stride: 2 };
  let x = convNorm(layers, { conv: 'conv_stem', norm: 'bn1' }, layers.input(), stem, 'relu6', style);
  x = blockStages(layers, x, stages, style);
  x = convNorm(layers, { conv: 'conv_head', norm: 'bn2' }, x, { out: 1280, kernel: 1 }, 'relu6', style);
  return layers.classifier('classifier', layers.pool(x), uniformFanOut);
}
