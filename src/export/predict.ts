import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AbortedError, ModelError } from '../core/errors.ts';
import { tensor } from '../core/tensor.ts';
import { decodeImage, type DecodedImage } from '../images/decode.ts';
import { hasImageExtension } from '../images/format.ts';
import { ImageError } from '../images/image-error.ts';
import { walk } from '../datasets/walk.ts';
import { readMetadata } from '../onnx/metadata.ts';
import { availableCores } from '../runtime/cores.ts';
import { deviceName } from '../runtime/devices.ts';
import { EngineHost, type SessionInfo } from '../runtime/engine-host.ts';
import { checkThreads } from '../runtime/session-options.ts';
import { softened } from './softmax.ts';

export interface PredictorOptions {
  /** Default `auto`. */
  readonly device?: string;
  /** Threads inside an op; default every core this process may use. */
  readonly threads?: number;
  /** Larger images are refused; default 100 million pixels. */
  readonly maxPixels?: number;
}

/** What the model says of one image. */
export interface Prediction {
  /** The path as it was given or found; `image 1`, ... for bytes. */
  readonly file: string;
  /** The likeliest class. */
  readonly label: string;
  /** Of that class, 0..1. */
  readonly probability: number;
  /** Of every class, in the model's order. */
  readonly probabilities: Readonly<Record<string, number>>;
  /** At each temperature asked for: of every class p^(1/T), renormalised, in the model's order. */
  readonly softened?: readonly {
    readonly temperature: number;
    readonly probabilities: Readonly<Record<string, number>>;
    /** Of these, in nats. */
    readonly entropy: number;
  }[];
  /** The higher, the less the image is like any of the classes; absent where the model has no such output. */
  readonly outlierScore?: number;
  /** Whether that is above the model's threshold; absent where the model has none. */
  readonly outlier?: boolean;
  /**
   * Whether the answer is not to be believed: `probability` is below the model's threshold, or the image looks like none of
   * the classes. Absent where the model has neither threshold.
   */
  readonly abstain?: boolean;
  /** What a person should know of the file: first frame of several, cropped, another format than the name says. */
  readonly warnings?: readonly string[];
}

export interface PredictOptions {
  readonly signal?: AbortSignal;
  /** Each over 0: the probabilities are also given softened, as a student of this model would learn them. */
  readonly temperatures?: readonly number[];
}

/** A file that is not an image the model can be asked about. */
export interface PredictionError {
  readonly file: string;
  readonly error: string;
}

interface Source {
  readonly file: string;
  readonly image: string | Uint8Array;
}

/** Images that are decoded ahead of the one in the engine. */
const AHEAD = 2;

/**
 * A deployed model, ready to be asked. The engine runs in the caller's own thread, which saves the
 * start of another one and blocks the event loop for the time of one image.
 * @example
 * await using predictor = await Predictor.open('runs/digits/model.onnx');
 * const [prediction] = await predictor.predict(['photo.jpg']);
 */
export class Predictor implements AsyncDisposable {
  /** In the order of the model's probabilities. */
  readonly classes: readonly string[];
  /** The least probability at which the likeliest class is to be believed, where the model has one. */
  readonly abstainThreshold: number | undefined;
  /** The outlier score above which an image looks like none of the classes, where the model has one. */
  readonly outlierThreshold: number | undefined;
  /** Whether the model scores how little an image is like its classes. */
  readonly scoresOutliers: boolean;
  /** Where `auto` fell back to the processor: why. */
  readonly deviceNote: string | undefined;
  readonly #host: EngineHost;
  readonly #session: SessionInfo;
  readonly #maxPixels: number | undefined;

  private constructor(
    host: EngineHost,
    session: SessionInfo,
    classes: readonly string[],
    thresholds: { readonly abstain: number | undefined; readonly outlier: number | undefined },
    deviceNote: string | undefined,
    maxPixels: number | undefined,
  ) {
    this.#host = host;
    this.#session = session;
    this.#maxPixels = maxPixels;
    this.classes = classes;
    this.abstainThreshold = thresholds.abstain;
    this.outlierThreshold = thresholds.outlier;
    this.scoresOutliers = session.outputs.some(({ name }) => name === 'outlier_score');
    this.deviceNote = deviceNote;
  }

  /**
   * @param path an ONNX file that `deployableModel` wrote
   * @throws ModelError where it is no such file, InputError for a device that is unknown or missing
   */
  static async open(path: string, options: PredictorOptions = {}): Promise<Predictor> {
    const device = deviceName(options.device ?? 'auto');
    const threads = checkThreads(options.threads ?? availableCores());
    const bytes = await readModelFile(path);
    const { host, choice } = await EngineHost.start(device, threads);
    const session = await host.load(bytes, { name: path });
    checkDeployed(session, path);
    const metadata = readMetadata(bytes);
    const names = metadata.get('gleaner.classes');
    const classes = names === undefined ? await classesOf(host, session) : (JSON.parse(names) as string[]);
    const threshold = (name: string): number | undefined => {
      const text = metadata.get(`gleaner.${name}`);
      return text === undefined ? undefined : (JSON.parse(text) as number);
    };
    return new Predictor(
      host,
      session,
      classes,
      { abstain: threshold('abstainThreshold'), outlier: threshold('outlierThreshold') },
      choice.note,
      options.maxPixels,
    );
  }

  /**
   * One answer for each input, in order; for a folder, one for each image in it.
   * @param inputs paths of files or folders, or the bytes of image files
   */
  async predict(
    inputs: readonly (string | Uint8Array)[],
    options: PredictOptions = {},
  ): Promise<(Prediction | PredictionError)[]> {
    const answers: (Prediction | PredictionError)[] = [];
    for await (const answer of this.predictAll(inputs, options)) answers.push(answer);
    return answers;
  }

  /**
   * As `predict`, each answer as soon as it is there; a few images are in memory at a time.
   * @throws AbortedError between two images once the signal fires, RunError where the engine fails, RangeError for a
   *   temperature that is not over 0
   */
  async *predictAll(
    inputs: Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>,
    options: PredictOptions = {},
  ): AsyncGenerator<Prediction | PredictionError> {
    const waiting: Promise<DecodedSource>[] = [];
    const answer = async (): Promise<Prediction | PredictionError> => {
      const decoded = await waiting.shift()!;
      if (options.signal?.aborted) throw new AbortedError('The prediction was stopped.');
      return 'error' in decoded ? decoded : this.#ask(decoded.file, decoded.image, options.temperatures);
    };
    for await (const source of sources(inputs)) {
      waiting.push(this.#decode(source));
      if (waiting.length > AHEAD) yield await answer();
    }
    while (waiting.length > 0) yield await answer();
  }

  async dispose(): Promise<void> {
    await this.#host.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }

  /** Never rejects for a bad file; what else goes wrong surfaces when the image's turn comes. */
  #decode({ file, image }: Source): Promise<DecodedSource> {
    const options = this.#maxPixels === undefined ? {} : { maxPixels: this.#maxPixels };
    const decoded = decodeImage(image, options).then(
      (result) => ({ file, image: result }),
      (error: unknown) => {
        if (error instanceof ImageError) return { file, error: error.message };
        throw error;
      },
    );
    // Without a listener, a rejection that waits for its turn would end the process.
    decoded.catch(() => {});
    return decoded;
  }

  async #ask(file: string, image: DecodedImage, temperatures: readonly number[] = []): Promise<Prediction> {
    const feeds = { image: tensor('uint8', [1, image.height, image.width, 3], image.data) };
    const fetch = ['probabilities', ...(this.scoresOutliers ? ['outlier_score'] : [])];
    const run = { session: this.#session.id, feeds, resident: {}, keep: {}, fetch };
    const [result] = await this.#host.run([run], () => false);
    const outlierScore = (result!['outlier_score']?.data as Float32Array | undefined)?.[0];
    const { abstainThreshold, outlierThreshold } = this;
    const outlier =
      outlierScore === undefined || outlierThreshold === undefined ? undefined : outlierScore > outlierThreshold;
    const values = [...(result!['probabilities']!.data as Float32Array)];
    const best = values.indexOf(Math.max(...values));
    const probability = values[best]!;
    const byName = (shares: readonly number[]): Record<string, number> =>
      Object.fromEntries(this.classes.map((name, k) => [name, shares[k]!]));
    const at = (temperature: number): NonNullable<Prediction['softened']>[number] => {
      const shares = softened(values, temperature);
      const entropy = shares.reduce((sum, p) => (p === 0 ? sum : sum - p * Math.log(p)), 0);
      return { temperature, probabilities: byName(shares), entropy };
    };
    return {
      file,
      label: this.classes[best]!,
      probability,
      probabilities: byName(values),
      ...(temperatures.length > 0 && { softened: temperatures.map(at) }),
      ...(outlierScore !== undefined && { outlierScore }),
      ...(outlier !== undefined && { outlier }),
      ...((abstainThreshold !== undefined || outlier !== undefined) && {
        abstain: outlier === true || probability < (abstainThreshold ?? 0),
      }),
      ...(image.warnings.length > 0 && { warnings: image.warnings }),
    };
  }
}

type DecodedSource = PredictionError | { readonly file: string; readonly image: DecodedImage };

async function* sources(
  inputs: Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>,
): AsyncGenerator<Source> {
  let count = 0;
  for await (const input of inputs) {
    count++;
    if (typeof input !== 'string') yield { file: `image ${count}`, image: input };
    else if (await isFolder(input)) {
      for (const { id } of (await walk(input)).files) {
        const file = join(input, id);
        // A folder of photos holds other things too; what has no image's name is not asked about.
        if (hasImageExtension(id)) yield { file, image: file };
      }
    } else yield { file: input, image: input };
  }
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (info) => info.isDirectory(),
    () => false,
  );
}

async function readModelFile(path: string): Promise<Uint8Array> {
  try {
    const bytes = await readFile(path);
    if (bytes.length === 0) throw new ModelError(`${path} is empty. An ONNX model was expected.`);
    return bytes;
  } catch (error) {
    if (error instanceof ModelError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === 'ENOENT' ? 'there is no such file' : code === 'EISDIR' ? 'it is a folder' : message;
    throw new ModelError(`The model ${path} can't be read: ${reason}.`, { cause: error });
  }
}

function checkDeployed({ inputs, outputs }: SessionInfo, path: string): void {
  const [image] = inputs;
  const names = new Set(outputs.map((output) => output.name));
  const fits =
    inputs.length === 1 &&
    image!.name === 'image' &&
    image!.dtype === 'uint8' &&
    names.has('probabilities') &&
    names.has('classes');
  if (fits) return;
  const list = (values: SessionInfo['inputs']): string =>
    values.map(({ name, dtype, shape }) => `${name} ${dtype} [${shape}]`).join(', ');
  throw new ModelError(
    `${path} is not a deployed classifier: it takes ${list(inputs)} and returns ${list(outputs)}; expected is ` +
      `image uint8 [N, H, W, 3] in, probabilities and classes out, as "gleaner train" and "gleaner export" write it.`,
  );
}

/** For a file whose metadata was lost. The engine runs the whole graph for any output: it is asked with one pixel. */
async function classesOf(host: EngineHost, session: SessionInfo): Promise<readonly string[]> {
  const feeds = { image: tensor('uint8', [1, 1, 1, 3], new Uint8Array(3)) };
  const run = { session: session.id, feeds, resident: {}, keep: {}, fetch: ['classes'] };
  const [result] = await host.run([run], () => false);
  return result!['classes']!.data as string[];
}
