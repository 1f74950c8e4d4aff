import { ModelError } from '../core/errors.ts';
import { tensor, type Tensor } from '../core/tensor.ts';
import type { DecodedImage } from '../images/decode.ts';
import { cropGraph, networkOnCrops } from '../models/preprocessing.ts';
import { writeModel } from '../onnx/write.ts';
import type { Engine } from '../runtime/engine.ts';
import { networkToLogits, type DeployableParts } from './deployable.ts';
import { softmax } from './softmax.ts';

/** An upright RGB image: `data` [height, width, 3] uint8. */
export type Pixels = Pick<DecodedImage, 'width' | 'height' | 'data'>;

export interface ParityReport {
  readonly images: number;
  /** Largest difference of a probability. */
  readonly maxDifference: number;
  readonly tolerance: number;
}

/** What the float32 file may differ from evaluation in a probability. */
export const PARITY_TOLERANCE = 1e-4;

/**
 * Proves that a deployed float32 file gives what evaluation gave: both are run on the same decoded
 * images, and on cuts of them with odd sides and extreme aspects. Evaluation's path is crops from the
 * crop graph, the network on a batch of them, and temperature and softmax in float64.
 * @param file the bytes of the deployed file
 * @throws ModelError where a probability differs by more than the tolerance or is not a number, naming
 *   the image's size and both numbers; RangeError without images
 */
export async function proveParity(
  engine: Engine,
  file: Uint8Array,
  parts: DeployableParts,
  images: readonly Pixels[],
  options: { readonly tolerance?: number; readonly signal?: AbortSignal } = {},
): Promise<ParityReport> {
  const { tolerance = PARITY_TOLERANCE } = options;
  if (images.length === 0) throw new RangeError('Parity is proven on real images; got none.');
  const all = images.flatMap((image) => [image, ...oddCuts(image)]);
  const expected = await evaluated(engine, parts, all, options);
  const session = await engine.load(file, { name: 'the exported model' });
  let maxDifference = 0;
  try {
    for (const [i, image] of all.entries()) {
      const { probabilities } = await engine.run(
        session,
        { feeds: { image: asTensor(image) }, fetch: ['probabilities'] },
        options,
      );
      for (const [k, value] of (probabilities!.data as Float32Array).entries()) {
        const difference = Math.abs(value - expected[i]![k]!);
        // The negation also holds for NaN.
        if (!(difference <= tolerance))
          throw new ModelError(
            `The exported model does not give what evaluation gave: class ${k} of an image of ` +
              `${image.width}x${image.height} has probability ${value}, evaluation's is ${expected[i]![k]} ` +
              `(allowed: ${tolerance}). It was not written.`,
          );
        maxDifference = Math.max(maxDifference, difference);
      }
    }
  } finally {
    await session.release();
  }
  return { images: all.length, maxDifference, tolerance };
}

/** Probabilities [K] for each image, by the steps that evaluation takes. */
async function evaluated(
  engine: Engine,
  parts: DeployableParts,
  images: readonly Pixels[],
  options: { readonly signal?: AbortSignal },
): Promise<number[][]> {
  const { preprocessing, classes, temperature = 1 } = parts;
  const crops = new Uint8Array(images.length * preprocessing.inputSize[0] * preprocessing.inputSize[1] * 3);
  const cutter = await engine.load(writeModel({ graph: cropGraph(preprocessing) }), { name: 'the crop graph' });
  try {
    for (const [i, image] of images.entries()) {
      const { crop } = await engine.run(cutter, { feeds: { image: asTensor(image) } }, options);
      crops.set(crop!.data as Uint8Array, i * crop!.data.length);
    }
  } finally {
    await cutter.release();
  }
  const graph = networkOnCrops(networkToLogits(parts.graph, parts.logits, classes.length), preprocessing);
  const network = await engine.load(writeModel({ graph }), { name: 'the network' });
  try {
    const crop = tensor('uint8', [images.length, ...preprocessing.inputSize, 3], crops);
    const result = await engine.run(network, { feeds: { crop } }, options);
    const logits = result[graph.outputs[0]!.name]!.data as Float32Array;
    const k = classes.length;
    return images.map((_, i) => softmax(logits.subarray(i * k, (i + 1) * k), temperature));
  } finally {
    await network.release();
  }
}

/** Cuts of an image with odd sides: nearly all of it, a tall strip, a line of pixels. */
function oddCuts(image: Pixels): Pixels[] {
  const odd = (side: number): number => (side % 2 === 1 ? side : Math.max(1, side - 1));
  const { width, height } = image;
  return [
    cut(image, odd(width), odd(Math.ceil(height * 0.7))),
    cut(image, odd(Math.ceil(width / 9)), height),
    cut(image, width, 1),
  ];
}

function cut({ width, data }: Pixels, cutWidth: number, cutHeight: number): Pixels {
  const result = new Uint8Array(cutWidth * cutHeight * 3);
  for (let y = 0; y < cutHeight; y++)
    result.set(data.subarray(y * width * 3, (y * width + cutWidth) * 3), y * cutWidth * 3);
  return { width: cutWidth, height: cutHeight, data: result };
}

function asTensor({ width, height, data }: Pixels): Tensor {
  return tensor('uint8', [1, height, width, 3], data);
}
