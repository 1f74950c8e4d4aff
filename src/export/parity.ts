import { ModelError } from '../core/errors.ts';
import { tensor, type Tensor } from '../core/tensor.ts';
import type { DecodedImage } from '../images/decode.ts';
import { cropGraph, networkOnCrops } from '../models/preprocessing.ts';
import { writeModel } from '../onnx/write.ts';
import type { Engine } from '../runtime/engine.ts';
import { outlierScores } from '../evaluate/outliers.ts';
import { networkToOutputs, type DeployableParts } from './deployable.ts';
import { softmax } from './softmax.ts';

/** An upright RGB image: `data` [height, width, 3] uint8. */
export type Pixels = Pick<DecodedImage, 'width' | 'height' | 'data'>;

export interface ParityReport {
  readonly images: number;
  /** Largest difference of a probability. */
  readonly maxDifference: number;
  /** Largest difference of an outlier score, of deviation 1; absent where there is none. */
  readonly maxOutlierDifference?: number;
  readonly tolerance: number;
}

/** What the float32 file may differ from evaluation in a probability, and in an outlier score. */
export const PARITY_TOLERANCE = 1e-4;

/**
 * Proves that a deployed float32 file gives what evaluation gave: both are run on the same decoded
 * images, and on cuts of them with odd sides and extreme aspects. Evaluation's path is crops from the
 * crop graph, the network on a batch of them, and temperature, softmax and outlier score in float64.
 * @param file the bytes of the deployed file
 * @throws ModelError where a probability or score differs by more than the tolerance or is not a number, naming
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
  let [maxDifference, maxOutlierDifference] = [0, 0];
  const difference = ({ width, height }: Pixels, what: string, value: number, wanted: number): number => {
    const apart = Math.abs(value - wanted);
    // The negation also holds for NaN.
    if (!(apart <= tolerance))
      throw new ModelError(
        `The exported model does not give what evaluation gave: ${what} of an image of ${width}x${height} is ${value}, ` +
          `evaluation's is ${wanted} (allowed: ${tolerance}). It was not written.`,
      );
    return apart;
  };
  const isScored = parts.outliers !== undefined;
  const fetch = ['probabilities', ...(isScored ? ['outlier_score'] : [])];
  try {
    for (const [i, image] of all.entries()) {
      const found = await engine.run(session, { feeds: { image: asTensor(image) }, fetch }, options);
      for (const [k, value] of (found['probabilities']!.data as Float32Array).entries()) {
        const apart = difference(image, `the probability of class ${k}`, value, expected.probabilities[i]![k]!);
        maxDifference = Math.max(maxDifference, apart);
      }
      if (!isScored) continue;
      const [score] = found['outlier_score']!.data as Float32Array;
      const apart = difference(image, 'the outlier score', score!, expected.outliers![i]!);
      maxOutlierDifference = Math.max(maxOutlierDifference, apart);
    }
  } finally {
    await session.release();
  }
  return { images: all.length, maxDifference, ...(isScored && { maxOutlierDifference }), tolerance };
}

/** Probabilities [K] and outlier score for each image, by the steps that evaluation takes. */
async function evaluated(
  engine: Engine,
  parts: DeployableParts,
  images: readonly Pixels[],
  options: { readonly signal?: AbortSignal },
): Promise<{ readonly probabilities: number[][]; readonly outliers: Float32Array | undefined }> {
  const { preprocessing, classes, temperature = 1, outliers } = parts;
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
  const graph = networkOnCrops(networkToOutputs(parts), preprocessing);
  const network = await engine.load(writeModel({ graph }), { name: 'the network' });
  try {
    const crop = tensor('uint8', [images.length, ...preprocessing.inputSize, 3], crops);
    const result = await engine.run(network, { feeds: { crop } }, options);
    const logits = result[graph.outputs[0]!.name]!.data as Float32Array;
    const k = classes.length;
    const embedding = outliers && result[outliers.embedding]!;
    return {
      probabilities: images.map((_, i) => softmax(logits.subarray(i * k, (i + 1) * k), temperature)),
      outliers:
        embedding &&
        outlierScores(outliers.scorer, { data: embedding.data as Float32Array, width: embedding.shape[1]! }),
    };
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
