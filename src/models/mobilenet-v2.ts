import { blockStages, convNorm, repeated, type Block, type BlockStyle } from './inverted-residual.ts';
import { uniformFanOut } from './initialise.ts';
import { Layers, roundChannels, type BuiltModel, type NetworkOptions } from './layers.ts';

export interface MobileNetOptions extends NetworkOptions {
  /** Width multiplier. Default 1. */
  readonly width?: number;
  /** TensorFlow's padding and batch-norm epsilon. Default false. */
  readonly tensorflow?: boolean;
}

/** Channels, repeats, stride: table 2 of the paper, where the expansion is 6 throughout. */
const TABLE = [
  [24, 2, 2],
  [32, 3, 2],
  [64, 4, 2],
  [96, 3, 1],
  [160, 3, 2],
  [320, 1, 1],
] as const;

/** MobileNetV2. Sandler et al. 2018, https://arxiv.org/abs/1801.04381 */
export function mobileNetV2(name: string, options: MobileNetOptions): BuiltModel {
  const { width = 1, tensorflow = false } = options;
  const layers = new Layers(name, options);
  const style: BlockStyle = { activation: 'relu6', tensorflow, width };
  const stages: Block[][] = [
    [{ kind: 'separable', kernel: 3, stride: 1, out: 16 }],
    ...TABLE.map(([out, count, stride]) => repeated(count, { kind: 'inverted', kernel: 3, stride, expansion: 6, out })),
  ];
  const stem = { out: roundChannels(32 * width), kernel: 3, stride: 2 };
  const head = { out: Math.max(1280, roundChannels(1280 * width)), kernel: 1 };
  let x = convNorm(layers, { conv: 'conv_stem', norm: 'bn1' }, layers.input(), stem, 'relu6', style);
  x = blockStages(layers, x, stages, style);
  x = convNorm(layers, { conv: 'conv_head', norm: 'bn2' }, x, head, 'relu6', style);
  return layers.classifier('classifier', layers.pool(x), uniformFanOut);
}
