import { join } from 'node:path';
import { sha256 } from '../core/atomic-file.ts';
import { cachePart, trimCache } from '../core/cache-folder.ts';
import { FormatError } from '../core/errors.ts';
import { readSafetensorsFile, writeSafetensorsFile } from '../core/safetensors.ts';
import { tensor, type Tensor } from '../core/tensor.ts';

/** Bytes of cached features on disk, of all backbones together. */
const LIMIT_BYTES = 2 ** 31;

/**
 * Features of images by their content, for one network and preprocessing: on disk, so that another head on the same
 * images takes seconds. One file a key; a damaged one counts as empty.
 */
export class FeatureCache {
  readonly #file: string;
  readonly #known: Map<string, Float32Array>;

  private constructor(file: string, known: Map<string, Float32Array>) {
    this.#file = file;
    this.#known = known;
  }

  /** @param key everything that decides about a feature's value: network, layer, preprocessing, engine */
  static async open(key: readonly unknown[]): Promise<FeatureCache> {
    const file = join(cachePart('features'), `${sha256(JSON.stringify(key)).slice(0, 32)}.safetensors`);
    try {
      const { tensors } = await readSafetensorsFile(file, { requireChecksum: true });
      return new FeatureCache(file, new Map([...tensors].map(([name, { data }]) => [name, data as Float32Array])));
    } catch (error) {
      const isAbsent = (error as NodeJS.ErrnoException).code === 'ENOENT';
      if (!isAbsent && !(error instanceof FormatError)) throw error;
      return new FeatureCache(file, new Map());
    }
  }

  get(contentKey: string): Float32Array | undefined {
    return this.#known.get(contentKey);
  }

  /** Adds features [n, D] of the images with these keys, and writes the file whole. */
  async add(contentKeys: readonly string[], features: Tensor): Promise<void> {
    const width = features.shape[1]!;
    for (const [i, key] of contentKeys.entries())
      this.#known.set(key, (features.data as Float32Array).slice(i * width, (i + 1) * width));
    const entries = [...this.#known].map(([key, data]) => [key, tensor('float32', [data.length], data)] as const);
    await writeSafetensorsFile(this.#file, entries);
    await trimCache('features', LIMIT_BYTES);
  }
}
