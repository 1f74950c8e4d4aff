import { Layers, type BuiltModel, type NetworkOptions } from './layers.ts';

export interface WideResNetOptions extends NetworkOptions {
  /** 6n+4: 16, 22, 28, 40, ... */
  readonly depth: number;
  /** Widening factor k. */
  readonly width: number;
}

/**
 * Wide ResNet WRN-depth-width for 32x32, of pre-activated blocks; the first block of a stage normalises
 * before the shortcut branches off. Zagoruyko and Komodakis 2016, https://arxiv.org/abs/1605.07146; names of
 * parameters as in the PyTorch versions that semi-supervised learning uses (`block1.layer.0.conv1`).
 */
export function wideResNet(name: string, options: WideResNetOptions): BuiltModel {
  const layers = new Layers(name, options);
  const depth = (options.depth - 4) / 6;
  let x = layers.conv('conv1', layers.input(), { out: 16, kernel: 3 });
  for (const stage of [1, 2, 3])
    for (let i = 0; i < depth; i++) {
      const path = `block${stage}.layer.${i}`;
      const out = Math.round(16 * options.width) * 2 ** (stage - 1);
      const stride = stage > 1 && i === 0 ? 2 : 1;
      const active = layers.activation('relu', layers.batchNorm(`${path}.bn1`, x), `${path}.relu1`);
      let y = layers.conv(`${path}.conv1`, active, { out, kernel: 3, stride });
      y = layers.activation('relu', layers.batchNorm(`${path}.bn2`, y), `${path}.relu2`);
      y = layers.conv(`${path}.conv2`, y, { out, kernel: 3 });
      const same = layers.side(x, 1) === out && stride === 1;
      const shortcut = same ? x : layers.conv(`${path}.convShortcut`, active, { out, kernel: 1, stride });
      x = layers.add(`${path}.add`, shortcut, y);
    }
  x = layers.activation('relu', layers.batchNorm('bn1', x), 'relu');
  return layers.classifier('fc', layers.pool(x));
}
