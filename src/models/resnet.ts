import { Layers, type BuiltModel, type NetworkOptions } from './layers.ts';

/** A residual network of stages `layer1`, `layer2`, ..., by torchvision's and timm's names. */
export interface ResNetOptions extends NetworkOptions {
  readonly block: 'basic' | 'bottleneck';
  /** Blocks of each stage. */
  readonly depths: readonly number[];
  /** Channels of the stem and the first stage, doubled at each stage. Default 64. */
  readonly width?: number;
  /** `imagenet`: 7x7 with stride 2 and a pooling; `3x3`: stride 1, for images of about 32x32. */
  readonly stem: 'imagenet' | '3x3';
}

/**
 * ResNet. He et al. 2015, https://arxiv.org/abs/1512.03385; with stride in the 3x3 convolution of a
 * bottleneck, as in torchvision and timm, and a projection (1x1 convolution and batch norm) wherever the
 * shape changes (the paper's option B, also for 32x32, where the paper pads with zeros: a strided slice
 * and a pad train slower here, and the count of parameters hardly differs). Weights as in He et al.
 * (fan-out), batch norm 1 and 0.
 */
export function resnet(name: string, options: ResNetOptions): BuiltModel {
  const layers = new Layers(name, options);
  const { width = 64, depths } = options;
  const expansion = options.block === 'basic' ? 1 : 4;
  let x = layers.input();
  x = layers.conv(
    'conv1',
    x,
    options.stem === '3x3' ? { out: width, kernel: 3 } : { out: width, kernel: 7, stride: 2 },
  );
  x = layers.activation('relu', layers.batchNorm('bn1', x), 'act1');
  if (options.stem === 'imagenet') {
    const pooling = { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] };
    x = layers.builder.op('MaxPool', [x], pooling, { name: 'maxpool' });
  }
  for (const [stage, depth] of depths.entries())
    for (let i = 0; i < depth; i++) {
      const path = `layer${stage + 1}.${i}`;
      const channels = width * 2 ** stage;
      const stride = stage > 0 && i === 0 ? 2 : 1;
      let shortcut = x;
      const branch =
        options.block === 'basic'
          ? basic(layers, path, x, channels, stride)
          : bottleneck(layers, path, x, channels, stride);
      if (stride !== 1 || layers.side(x, 1) !== channels * expansion) {
        shortcut = layers.conv(`${path}.downsample.0`, x, { out: channels * expansion, kernel: 1, stride });
        shortcut = layers.batchNorm(`${path}.downsample.1`, shortcut);
      }
      x = layers.activation('relu', layers.add(`${path}.add`, branch, shortcut), `${path}.act`);
    }
  return layers.classifier('fc', layers.pool(x));
}

function basic(layers: Layers, path: string, x: string, channels: number, stride: number): string {
  let y = layers.conv(`${path}.conv1`, x, { out: channels, kernel: 3, stride });
  y = layers.activation('relu', layers.batchNorm(`${path}.bn1`, y), `${path}.act1`);
  y = layers.conv(`${path}.conv2`, y, { out: channels, kernel: 3 });
  return layers.batchNorm(`${path}.bn2`, y);
}

function bottleneck(layers: Layers, path: string, x: string, channels: number, stride: number): string {
  let y = layers.conv(`${path}.conv1`, x, { out: channels, kernel: 1 });
  y = layers.activation('relu', layers.batchNorm(`${path}.bn1`, y), `${path}.act1`);
  y = layers.conv(`${path}.conv2`, y, { out: channels, kernel: 3, stride });
  y = layers.activation('relu', layers.batchNorm(`${path}.bn2`, y), `${path}.act2`);
  y = layers.conv(`${path}.conv3`, y, { out: channels * 4, kernel: 1 });
  return layers.batchNorm(`${path}.bn3`, y);
}
