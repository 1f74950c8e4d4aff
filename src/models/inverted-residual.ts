import type { Activation, ConvOptions, Layers } from './layers.ts';
import { roundChannels } from './layers.ts';

/**
 * The blocks of MobileNetV2, V3 and EfficientNet, by timm's names: depthwise-separable (`conv_dw`,
 * `conv_pw`), inverted residual (`conv_pw` expands, `conv_dw`, squeeze-and-excitation, `conv_pwl`
 * projects) and a plain convolution (`conv`), each convolution with batch norm. Sandler et al. 2018,
 * https://arxiv.org/abs/1801.04381; Hu et al. 2017, https://arxiv.org/abs/1709.01507
 */
export interface Block {
  readonly kind: 'separable' | 'inverted' | 'conv';
  readonly kernel: number;
  readonly stride: number;
  /** Channels of the hidden layer over those of the input (`inverted` only). Default 1. */
  readonly expansion?: number;
  /** Channels, before the width multiplier. */
  readonly out: number;
  /** Squeeze-and-excitation to a quarter of the hidden channels. Default false. */
  readonly squeeze?: boolean;
  /** Default: the style's. */
  readonly activation?: Activation;
}

/** What all blocks of a network share. */
export interface BlockStyle {
  readonly activation: Activation;
  /** TensorFlow's padding and batch-norm epsilon (1e-3), for weights that were trained there. */
  readonly tensorflow: boolean;
  /** Width multiplier. */
  readonly width: number;
}

/** `count` blocks of which only the first has a stride. */
export function repeated(count: number, block: Block): Block[] {
  return Array.from({ length: count }, (_, i) => (i === 0 ? block : { ...block, stride: 1 }));
}

/** Convolution, batch norm, activation. */
export function convNorm(
  layers: Layers,
  names: { readonly conv: string; readonly norm: string },
  x: string,
  options: ConvOptions,
  activation: Activation,
  style: BlockStyle,
): string {
  const padding = style.tensorflow ? ({ padding: 'same' } as const) : {};
  const y = layers.conv(names.conv, x, { ...padding, ...options });
  const normalised = layers.batchNorm(names.norm, y, { epsilon: style.tensorflow ? 1e-3 : 1e-5 });
  return layers.activation(activation, normalised, `${names.norm}.act`);
}

/** All stages, as `blocks.STAGE.BLOCK`. */
export function blockStages(
  layers: Layers,
  input: string,
  stages: readonly (readonly Block[])[],
  style: BlockStyle,
): string {
  let x = input;
  for (const [i, stage] of stages.entries())
    for (const [j, block] of stage.entries()) x = addBlock(layers, `blocks.${i}.${j}`, x, block, style);
  return x;
}

const CONVS = {
  conv: ['conv'],
  separable: ['conv_dw', 'conv_pw'],
  inverted: ['conv_pw', 'conv_dw', 'conv_pwl'],
} as const;

function addBlock(layers: Layers, path: string, x: string, block: Block, style: BlockStyle): string {
  const { kind, kernel, stride } = block;
  const activation = block.activation ?? style.activation;
  const channels = layers.side(x, 1);
  const out = roundChannels(block.out * style.width);
  const step = (index: number, y: string, options: ConvOptions, act: Activation): string => {
    const names = { conv: `${path}.${CONVS[kind][index]}`, norm: `${path}.bn${index + 1}` };
    return convNorm(layers, names, y, options, act, style);
  };
  if (kind === 'conv') return step(0, x, { out, kernel, stride }, activation);
  const hidden = kind === 'inverted' ? roundChannels(channels * (block.expansion ?? 1)) : channels;
  let y = kind === 'inverted' ? step(0, x, { out: hidden, kernel: 1 }, activation) : x;
  const depthwise = kind === 'inverted' ? 1 : 0;
  y = step(depthwise, y, { out: hidden, kernel, stride, groups: hidden }, activation);
  if (block.squeeze) y = squeezeExcite(layers, `${path}.se`, y);
  y = step(depthwise + 1, y, { out, kernel: 1 }, 'none');
  if (stride !== 1 || channels !== out) return y;
  return layers.add(`${path}.add`, y, x);
}

/** Squeeze-and-excitation as in MobileNetV3: ReLU inside, a hard sigmoid as gate. */
function squeezeExcite(layers: Layers, path: string, x: string): string {
  const b = layers.builder;
  const channels = layers.side(x, 1);
  let gate = b.op('GlobalAveragePool', [x], {}, { name: `${path}.squeeze` });
  gate = layers.conv(`${path}.conv_reduce`, gate, { out: roundChannels(channels / 4), kernel: 1, bias: true });
  gate = layers.activation('relu', gate, `${path}.act1`);
  gate = layers.conv(`${path}.conv_expand`, gate, { out: channels, kernel: 1, bias: true });
  gate = layers.hardSigmoid(gate, `${path}.gate`);
  return b.op('Mul', [x, gate], {}, { name: `${path}.scale` });
}
