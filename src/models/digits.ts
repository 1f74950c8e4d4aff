import { heFanIn, normal } from './initialise.ts';
import { Layers, type BuiltModel, type NetworkOptions } from './layers.ts';

export interface DigitsOptions extends NetworkOptions {
  /** Channels of the first stage; doubled at each of the two that follow. Default 32. */
  readonly width?: number;
}

/**
 * A small network for digits and other glyphs of about 28x28 pixels: six 3x3 convolutions with batch
 * norm in three stages, maximum pooling between them, and the mean of the last maps. 289,000 parameters
 * at width 32.
 */
export function digits(name: string, options: DigitsOptions): BuiltModel {
  const layers = new Layers(name, options);
  const width = options.width ?? 32;
  let x = layers.input();
  for (const stage of [1, 2, 3]) {
    for (const step of [1, 2]) {
      const path = `stage${stage}`;
      x = layers.conv(`${path}.conv${step}`, x, { out: width * 2 ** (stage - 1), kernel: 3, init: heFanIn });
      x = layers.activation('relu', layers.batchNorm(`${path}.bn${step}`, x), `${path}.relu${step}`);
    }
    if (stage < 3)
      x = layers.builder.op('MaxPool', [x], { kernel_shape: [2, 2], strides: [2, 2] }, { name: `stage${stage}.pool` });
  }
  return layers.classifier('fc', layers.pool(x), normal(0.01));
}
