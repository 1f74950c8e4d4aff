import { tensor, type Tensor } from '../core/tensor.ts';
import type { Preprocessing } from '../models/preprocessing.ts';
import type { Variant } from '../models/description.ts';
import type { Graph } from '../onnx/graph.ts';
import type { Engine } from '../runtime/engine.ts';
import { logitsOf } from './int8.ts';

/** A form of the model, to be compared with float32. */
export interface VariantUnderTest {
  readonly variant: Variant;
  /** The network inside: float32 in, logits out. */
  readonly network: Graph;
  /** The file it is deployed in. */
  readonly file: Uint8Array;
}

export interface VariantMeasurement {
  readonly variant: Variant;
  /** Share of the crops classified rightly; absent where no labels were given. */
  readonly accuracy?: number;
  /** Its accuracy less float32's on the same crops. */
  readonly accuracyDifference?: number;
  /** Share of the crops on which it names the same class as float32. */
  readonly agreement: number;
  /** Of the file. */
  readonly bytes: number;
  /** One image at a time, from pixels to answer, median of several runs on this machine. */
  readonly millisecondsPerImage: number;
  /** Whether it takes longer than float32 on this machine. */
  readonly slower: boolean;
}

const TIMED_RUNS = 15;

/**
 * Accuracy, size and latency of forms of one model, all on the same crops and the same machine.
 * @param variants the first is the float32 form that the others are compared with
 * @param crops uint8 [n, h, w, 3], as evaluation sees them
 * @param labels n class indices, or undefined
 */
export async function measureVariants(
  engine: Engine,
  variants: readonly VariantUnderTest[],
  preprocessing: Preprocessing,
  crops: Tensor,
  labels: readonly number[] | undefined,
  options: { readonly signal?: AbortSignal } = {},
): Promise<VariantMeasurement[]> {
  const count = crops.shape[0]!;
  if (labels !== undefined && labels.length !== count)
    throw new RangeError(`Expected one label for each of ${count} crops, got ${labels.length}.`);
  const measured: (VariantMeasurement & { readonly chosen: readonly number[] })[] = [];
  for (const { variant, network, file } of variants) {
    const logits = await logitsOf(engine, network, preprocessing, crops, options);
    const width = logits.length / count;
    const chosen = Array.from({ length: count }, (_, i) => indexOfLargest(logits.subarray(i * width, (i + 1) * width)));
    const reference = measured[0];
    const accuracy = labels === undefined ? undefined : share(chosen, labels);
    const milliseconds = await latency(engine, file, variant, preprocessing, options);
    measured.push({
      variant,
      ...(accuracy !== undefined && { accuracy, accuracyDifference: accuracy - (reference?.accuracy ?? accuracy) }),
      agreement: reference === undefined ? 1 : share(chosen, reference.chosen),
      bytes: file.byteLength,
      millisecondsPerImage: milliseconds,
      slower: reference !== undefined && milliseconds > reference.millisecondsPerImage,
      chosen,
    });
  }
  return measured.map(({ chosen: _, ...measurement }) => measurement);
}

async function latency(
  engine: Engine,
  file: Uint8Array,
  variant: Variant,
  { inputSize: [h, w], layout }: Preprocessing,
  options: { readonly signal?: AbortSignal },
): Promise<number> {
  const session = await engine.load(file, { name: `the ${variant} model` });
  try {
    // A photo of twice the input's side has to be shrunk, as photos do.
    const feeds: Record<string, Tensor> =
      variant === 'bare'
        ? { input: tensor('float32', layout === 'nchw' ? [1, 3, h, w] : [1, h, w, 3], new Float32Array(3 * h * w)) }
        : {
            image: tensor(
              'uint8',
              [1, 2 * h, 2 * w, 3],
              Uint8Array.from({ length: 12 * h * w }, (_, i) => i % 251),
            ),
          };
    const times = await engine.time(session, { feeds }, { ...options, warmUp: 3, runs: TIMED_RUNS });
    return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)]!;
  } finally {
    await session.release();
  }
}

function indexOfLargest(values: Float32Array): number {
  let best = 0;
  for (const [i, value] of values.entries()) if (value > values[best]!) best = i;
  return best;
}

function share(a: readonly number[], b: readonly number[]): number {
  return a.reduce((count, value, i) => count + (value === b[i] ? 1 : 0), 0) / a.length;
}
