import { constant, truncatedNormal } from './initialise.ts';
import { Layers, type BuiltModel, type NetworkOptions } from './layers.ts';

export interface ConvNeXtOptions extends NetworkOptions {
  /** Blocks of each stage. */
  readonly depths: readonly number[];
  /** Channels of each stage. */
  readonly dims: readonly number[];
  /** Whether the weights of the MLPs are stored as 1x1 convolutions [O, I, 1, 1] (timm's atto to nano) or [O, I]. */
  readonly convMlp: boolean;
}

/** atto, femto, pico and nano are timm's; tiny is the paper's. */
export const CONVNEXT_VARIANTS = {
  atto: { depths: [2, 2, 6, 2], dims: [40, 80, 160, 320], convMlp: true },
  femto: { depths: [2, 2, 6, 2], dims: [48, 96, 192, 384], convMlp: true },
  pico: { depths: [2, 2, 6, 2], dims: [64, 128, 256, 512], convMlp: true },
  nano: { depths: [2, 2, 8, 2], dims: [80, 160, 320, 640], convMlp: true },
  tiny: { depths: [3, 3, 9, 3], dims: [96, 192, 384, 768], convMlp: false },
} as const;

const EPSILON = 1e-6;
const init = truncatedNormal(0.02);

/** ConvNeXt. Liu et al. 2022, https://arxiv.org/abs/2201.03545; weights truncated normal 0.02, layer scale 1e-6. */
export function convNeXt(name: string, options: ConvNeXtOptions): BuiltModel {
  const layers = new Layers(name, options);
  const { depths, dims, convMlp } = options;
  let x = layers.conv('stem.0', layers.input(), { out: dims[0]!, kernel: 4, stride: 4, padding: 0, bias: true, init });
  x = channelNorm(layers, 'stem.1', x);
  for (const [i, depth] of depths.entries()) {
    const out = dims[i]!;
    if (i > 0) {
      x = channelNorm(layers, `stages.${i}.downsample.0`, x);
      x = layers.conv(`stages.${i}.downsample.1`, x, { out, kernel: 2, stride: 2, padding: 0, bias: true, init });
    }
    for (let j = 0; j < depth; j++) x = block(layers, `stages.${i}.blocks.${j}`, x, convMlp);
  }
  const b = layers.builder;
  const pooled = b.op('Flatten', [b.op('GlobalAveragePool', [x], {}, { name: 'global_pool' })], { axis: 1 });
  const embedding = layers.layerNorm('head.norm', pooled, EPSILON, ['embedding']);
  return layers.classifier('head.fc', embedding, init);
}

function block(layers: Layers, path: string, x: string, convMlp: boolean): string {
  const b = layers.builder;
  const channels = layers.side(x, 1);
  let y = layers.conv(`${path}.conv_dw`, x, { out: channels, kernel: 7, groups: channels, bias: true, init });
  const gamma = layers.parameter(`${path}.gamma`, [channels], constant(1e-6));
  if (convMlp) {
    y = channelNorm(layers, `${path}.norm`, y);
    y = layers.conv(`${path}.mlp.fc1`, y, { out: 4 * channels, kernel: 1, bias: true, init });
    y = layers.activation('gelu', y, `${path}.mlp.act`);
    y = layers.conv(`${path}.mlp.fc2`, y, { out: channels, kernel: 1, bias: true, init });
    const scale = b.op('Reshape', [gamma, b.int([1, channels, 1, 1])], {}, { name: `${path}.gamma.reshape` });
    y = b.op('Mul', [y, scale], {}, { name: `${path}.scale` });
  } else {
    y = b.op('Transpose', [y], { perm: [0, 2, 3, 1] }, { name: `${path}.channels_last` });
    y = layers.layerNorm(`${path}.norm`, y, EPSILON);
    y = layers.linear(`${path}.mlp.fc1`, y, 4 * channels, init);
    y = layers.activation('gelu', y, `${path}.mlp.act`);
    y = layers.linear(`${path}.mlp.fc2`, y, channels, init);
    y = b.op('Mul', [y, gamma], {}, { name: `${path}.scale` });
    y = b.op('Transpose', [y], { perm: [0, 3, 1, 2] }, { name: `${path}.channels_first` });
  }
  return layers.add(`${path}.add`, y, x);
}

/** Layer normalisation over the channels of [N, C, H, W]. */
function channelNorm(layers: Layers, path: string, x: string): string {
  const b = layers.builder;
  const last = b.op('Transpose', [x], { perm: [0, 2, 3, 1] }, { name: `${path}.channels_last` });
  return b.op(
    'Transpose',
    [layers.layerNorm(path, last, EPSILON)],
    { perm: [0, 3, 1, 2] },
    { name: `${path}.channels_first` },
  );
}
