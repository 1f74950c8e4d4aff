import { join } from 'node:path';
import { sha256 } from '../../core/atomic-file.ts';
import { cachePart, trimCache } from '../../core/cache-folder.ts';
import { FormatError } from '../../core/errors.ts';
import { readSafetensorsFile, writeSafetensorsFile } from '../../core/safetensors.ts';
import { fromNumbers, tensor, toNumbers, type Tensor } from '../../core/tensor.ts';

/** Bytes of cached features on disk, of all backbones together. */
const LIMIT_BYTES = 2 ** 31;

/**
 * Features of images by their content, for one network and preprocessing: on disk, so that another head on the same
 * images takes seconds. One file a key; a damaged one counts as empty.
 */
export class FeatureCache {
  readonly #file: string;
  readonly #dtype: 'float32' | 'float16';
  readonly #known: Map<string, Tensor>;

  private constructor(file: string, dtype: 'float32' | 'float16', known: Map<string, Tensor>) {
    this.#file = file;
    this.#dtype = dtype;
    this.#known = known;
  }

  /**
   * @param key everything that decides about a feature's value: network, layer, preprocessing, engine
   * @param dtype how they are kept; of float16, `get` returns the rounded values from the start
   */
  static async open(key: readonly unknown[], dtype: 'float32' | 'float16' = 'float32'): Promise<FeatureCache> {
    const file = join(cachePart('features'), `${sha256(JSON.stringify(key)).slice(0, 32)}.safetensors`);
    try {
      const { tensors } = await readSafetensorsFile(file, { requireChecksum: true });
      return new FeatureCache(file, dtype, new Map(tensors));
    } catch (error) {
      const isAbsent = (error as NodeJS.ErrnoException).code === 'ENOENT';
      if (!isAbsent && !(error instanceof FormatError)) throw error;
      return new FeatureCache(file, dtype, new Map());
    }
  }

  get(contentKey: string): Float32Array | undefined {
    const known = this.#known.get(contentKey);
    if (known === undefined || known.dtype === 'float32') return known?.data as Float32Array | undefined;
    return Float32Array.from(toNumbers(known));
  }

  /** Adds features [n, D] of the images with these keys, and writes the file whole. */
  async add(contentKeys: readonly string[], features: Tensor): Promise<void> {
    const width = features.shape[1]!;
    for (const [i, key] of contentKeys.entries()) {
      const row = tensor('float32', [width], (features.data as Float32Array).slice(i * width, (i + 1) * width));
      this.#known.set(key, this.#dtype === 'float32' ? row : fromNumbers('float16', [width], toNumbers(row)));
    }
    await writeSafetensorsFile(this.#file, this.#known);
    await trimCache('features', LIMIT_BYTES);
  }
}
