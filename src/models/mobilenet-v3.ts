import { uniformFanOut } from './initialise.ts';
import { blockStages, convNorm, repeated, type Block, type BlockStyle } from './inverted-residual.ts';
import { Layers, roundChannels, type BuiltModel } from './layers.ts';
import type { MobileNetOptions } from './mobilenet-v2.ts';

export interface MobileNetV3Options extends MobileNetOptions {
  readonly variant: 'small' | 'large';
}

/** `count` inverted residuals. */
function inverted(
  count: number,
  kernel: number,
  stride: number,
  expansion: number,
  out: number,
  extra: Pick<Block, 'squeeze' | 'activation'> = {},
): Block[] {
  return repeated(count, { kind: 'inverted', kernel, stride, expansion, out, ...extra });
}

const SQUEEZE = { squeeze: true } as const;
const RELU = { activation: 'relu' } as const;

/** Tables 1 (large) and 2 (small) of the paper; hidden channels as ratios, which a width multiplier scales. */
const STAGES: Readonly<Record<'small' | 'large', readonly (readonly Block[])[]>> = {
  small: [
    [{ kind: 'separable', kernel: 3, stride: 2, out: 16, ...SQUEEZE, ...RELU }],
    [...inverted(1, 3, 2, 4.5, 24, RELU), ...inverted(1, 3, 1, 3.67, 24, RELU)],
    [...inverted(1, 5, 2, 4, 40, SQUEEZE), ...inverted(2, 5, 1, 6, 40, SQUEEZE)],
    inverted(2, 5, 1, 3, 48, SQUEEZE),
    inverted(3, 5, 2, 6, 96, SQUEEZE),
    [{ kind: 'conv', kernel: 1, stride: 1, out: 576 }],
  ],
  large: [
    [{ kind: 'separable', kernel: 3, stride: 1, out: 16, ...RELU }],
    [...inverted(1, 3, 2, 4, 24, RELU), ...inverted(1, 3, 1, 3, 24, RELU)],
    inverted(3, 5, 2, 3, 40, { ...SQUEEZE, ...RELU }),
    [...inverted(1, 3, 2, 6, 80), ...inverted(1, 3, 1, 2.5, 80), ...inverted(2, 3, 1, 2.3, 80)],
    inverted(2, 3, 1, 6, 112, SQUEEZE),
    inverted(3, 5, 2, 6, 160, SQUEEZE),
    [{ kind: 'conv', kernel: 1, stride: 1, out: 960 }],
  ],
};

/**
 * MobileNetV3. Howard et al. 2019, https://arxiv.org/abs/1905.02244; the embedding is what the classifier
 * reads, behind the 1x1 convolution on pooled features. Below a width of 0.75 the stem keeps its 16 channels.
 */
export function mobileNetV3(name: string, options: MobileNetV3Options): BuiltModel {
  const { width = 1, tensorflow = false, variant } = options;
  const layers = new Layers(name, options);
  const b = layers.builder;
  const style: BlockStyle = { activation: 'hard-swish', tensorflow, width };
  const stem = { out: width < 0.75 ? 16 : roundChannels(16 * width), kernel: 3, stride: 2 };
  let x = convNorm(layers, { conv: 'conv_stem', norm: 'bn1' }, layers.input(), stem, 'hard-swish', style);
  x = blockStages(layers, x, STAGES[variant], style);
  x = b.op('GlobalAveragePool', [x], {}, { name: 'global_pool' });
  x = layers.conv('conv_head', x, { out: variant === 'small' ? 1024 : 1280, kernel: 1, bias: true });
  x = layers.activation('hard-swish', x, 'act2');
  const embedding = b.op('Flatten', [x], { axis: 1 }, { name: 'embedding', outputs: ['embedding'] });
  return layers.classifier('classifier', embedding, uniformFanOut);
}
