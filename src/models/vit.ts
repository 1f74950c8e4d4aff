import { lecun, normal, truncatedNormal, zero } from './initialise.ts';
import { Layers, type BuiltModel, type NetworkOptions } from './layers.ts';

export interface VitOptions extends NetworkOptions {
  readonly width: number;
  readonly depth: number;
  readonly heads: number;
  /** Side of a patch, in pixels; must divide the input's. */
  readonly patch: number;
  /** Channels of the MLP's hidden layer over the width. Default 4. */
  readonly mlpRatio?: number;
}

export const VIT_VARIANTS = {
  tiny: { width: 192, depth: 12, heads: 3 },
  small: { width: 384, depth: 12, heads: 6 },
} as const;

const EPSILON = 1e-6;
const init = truncatedNormal(0.02);

/**
 * Vision transformer with a class token and learned positions. Dosovitskiy et al. 2020,
 * https://arxiv.org/abs/2010.11929; sizes tiny and small from Touvron et al. 2020,
 * https://arxiv.org/abs/2012.12877. Linear layers truncated normal 0.02, patches LeCun, classifier zero.
 * @throws RangeError where the patch does not divide the input's side, or the heads the width.
 */
export function vit(name: string, options: VitOptions): BuiltModel {
  const { width, depth, heads, patch, inputSize } = options;
  if (inputSize % patch !== 0)
    throw new RangeError(`The input side of ${name} must be a multiple of its patch of ${patch}, got ${inputSize}.`);
  if (width % heads !== 0)
    throw new RangeError(`The width ${width} of ${name} must be a multiple of its ${heads} heads.`);
  const layers = new Layers(name, options);
  const b = layers.builder;
  const patches = (inputSize / patch) ** 2;
  const cls = layers.parameter('cls_token', [1, 1, width], normal(1e-6));
  const positions = layers.parameter('pos_embed', [1, patches + 1, width], init);

  const proj = { out: width, kernel: patch, stride: patch, padding: 0, bias: true, init: lecun };
  let x = layers.conv('patch_embed.proj', layers.input(), proj);
  x = b.op('Reshape', [x, b.int([0, width, patches])], {}, { name: 'patch_embed.flatten' });
  x = b.op('Transpose', [x], { perm: [0, 2, 1] }, { name: 'patch_embed' });
  // A zero row in front, and the class token added with its position: no size of the batch is computed.
  x = b.op('Pad', [x, b.int([0, 1, 0, 0, 0, 0])], {}, { name: 'tokens' });
  const token = b.op('Pad', [cls, b.int([0, 0, 0, 0, patches, 0])], {}, { name: 'cls_token.pad' });
  x = layers.add('pos_embed.add', x, layers.add('pos_embed.cls', positions, token));

  for (let i = 0; i < depth; i++) {
    const path = `blocks.${i}`;
    let y = attention(layers, `${path}.attn`, layers.layerNorm(`${path}.norm1`, x, EPSILON), heads);
    x = layers.add(`${path}.add1`, x, y);
    y = layers.layerNorm(`${path}.norm2`, x, EPSILON);
    y = layers.linear(`${path}.mlp.fc1`, y, Math.round(width * (options.mlpRatio ?? 4)), init);
    y = layers.linear(`${path}.mlp.fc2`, layers.activation('gelu', y, `${path}.mlp.act`), width, init);
    x = layers.add(`${path}.add2`, x, y);
  }
  // The last norm works on each token by itself, so the class token alone is enough.
  const first = b.op('Gather', [x, b.int(0)], { axis: 1 }, { name: 'cls_token.gather' });
  const embedding = layers.layerNorm('norm', first, EPSILON, ['embedding']);
  return layers.classifier('head', embedding, zero);
}

/** Multi-head self-attention on [N, T, C]: softmax(Q K' / √d) V. */
function attention(layers: Layers, path: string, x: string, heads: number): string {
  const b = layers.builder;
  const [tokens, width] = [layers.side(x, 1), layers.side(x, 2)];
  const head = width / heads;
  const qkv = layers.linear(`${path}.qkv`, x, 3 * width, init);
  const parts = b.ops('Split', [qkv], { axis: 2, num_outputs: 3 }, { name: `${path}.split`, outputCount: 3 });
  const [q, k, v] = parts.map((part, i) => {
    const name = `${path}.${'qkv'[i]}`;
    const split = b.op('Reshape', [part, b.int([0, tokens, heads, head])], {}, { name: `${name}.heads` });
    // Keys come transposed: [N, H, d, T].
    return b.op('Transpose', [split], { perm: i === 1 ? [0, 2, 3, 1] : [0, 2, 1, 3] }, { name });
  }) as [string, string, string];
  const scaled = b.op('Mul', [q, b.float(1 / Math.sqrt(head))], {}, { name: `${path}.q.scaled` });
  const scores = b.op('MatMul', [scaled, k], {}, { name: `${path}.scores` });
  const weights = b.op('Softmax', [scores], { axis: -1 }, { name: `${path}.weights` });
  let y = b.op('MatMul', [weights, v], {}, { name: `${path}.context` });
  y = b.op('Transpose', [y], { perm: [0, 2, 1, 3] }, { name: `${path}.context.transpose` });
  y = b.op('Reshape', [y, b.int([0, tokens, width])], {}, { name: `${path}.context.joined` });
  return layers.linear(`${path}.proj`, y, width, init);
}
