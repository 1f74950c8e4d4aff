import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { sha256 } from '../core/atomic-file.ts';
import { cachePart, trimCache } from '../core/cache-folder.ts';
import type { Preprocessing } from '../models/preprocessing.ts';
import { memoryReport } from '../runtime/memory.ts';

export interface CropCacheOptions {
  /** Bytes of crops in memory; default a quarter of what is free, at most 2 GiB. */
  readonly memoryBytes?: number;
  /** Bytes of crops on disk, of all data sets together; default 4 GiB, 0 for none. */
  readonly diskBytes?: number;
}

/** Says when crops were made by another rule than today's: raised whenever decoding or the crop graph changes. */
const RULE = 1;
const CHECKSUM_BYTES = 4;

/**
 * Crops by content and preprocessing, uint8 [h, w, 3]: in memory until the budget is spent (epochs go
 * round, so throwing out the oldest would throw out the next one needed), and on disk those that took
 * long to make, for the next run.
 */
export class CropCache {
  readonly cropBytes: number;
  readonly #memoryBudget: number;
  readonly #diskBudget: number;
  readonly #folder: string | undefined;
  readonly #memory = new Map<string, Uint8Array>();
  #memoryBytes = 0;
  #written = 0;

  constructor(preprocessing: Preprocessing, options: CropCacheOptions = {}) {
    const { inputSize, resize, cropFraction, interpolation } = preprocessing;
    this.cropBytes = inputSize[0] * inputSize[1] * 3;
    this.#memoryBudget = options.memoryBytes ?? Math.min(2 ** 31, memoryReport().availableBytes / 4);
    this.#diskBudget = options.diskBytes ?? 2 ** 32;
    // Mean, deviation and layout come after the crop.
    const geometry = sha256(JSON.stringify([RULE, inputSize, resize, cropFraction, interpolation]));
    if (this.#diskBudget > 0) this.#folder = join(cachePart('images'), geometry.slice(0, 16));
  }

  /** Bytes held in memory. */
  get memoryBytes(): number {
    return this.#memoryBytes;
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    const known = this.#memory.get(key);
    if (known !== undefined || this.#folder === undefined) return known;
    const file = await readFile(this.#path(key)).catch(() => undefined);
    if (file?.length !== this.cropBytes + CHECKSUM_BYTES) return undefined;
    const pixels = new Uint8Array(file.buffer, file.byteOffset, this.cropBytes);
    // A file cut by a power failure is as long as a whole one on some systems.
    if (crc32(pixels) !== file.readUInt32LE(this.cropBytes)) return undefined;
    this.#keep(key, pixels);
    return pixels;
  }

  /** @param worthDisk whether making it again costs more than reading it. */
  async put(key: string, pixels: Uint8Array, worthDisk: boolean): Promise<void> {
    this.#keep(key, pixels);
    if (!worthDisk || this.#folder === undefined || this.#written + pixels.length > this.#diskBudget) return;
    this.#written += pixels.length;
    const path = this.#path(key);
    const checksum = Buffer.alloc(CHECKSUM_BYTES);
    checksum.writeUInt32LE(crc32(pixels));
    const temporary = `${path}.${randomBytes(6).toString('hex')}`;
    try {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(temporary, Buffer.concat([pixels, checksum]));
      await rename(temporary, path);
    } catch {
      // Full or read-only: the run goes on without, and tries no more.
      this.#written = this.#diskBudget;
      await rm(temporary, { force: true }).catch(() => {});
    }
  }

  /** Removes what was longest unused where the disk's budget is exceeded. */
  async trim(): Promise<void> {
    if (this.#folder !== undefined && this.#written > 0) await trimCache('images', this.#diskBudget);
  }

  #keep(key: string, pixels: Uint8Array): void {
    if (this.#memory.has(key) || this.#memoryBytes + pixels.length > this.#memoryBudget) return;
    this.#memory.set(key, pixels);
    this.#memoryBytes += pixels.length;
  }

  #path(key: string): string {
    const name = sha256(key);
    return join(this.#folder!, name.slice(0, 2), name.slice(2));
  }
}
