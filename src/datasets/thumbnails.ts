import type { OnProgress } from '../core/progress.ts';
import { ImageError } from '../images/image-error.ts';
import { decodeStretched, luma } from '../images/stretched.ts';
import { VIEW_SIDE } from '../images/views.ts';
import { mapConcurrent } from './concurrent.ts';
import type { Quarantined, Sample } from './dataset.ts';

/** As many as there are threads to decode in, and a few being read. */
const AT_A_TIME = 6;
const PROGRESS_EVERY = 500;
/** Standard deviation in grey levels below which an image has nothing to be compared by. */
const LEAST_CONTRAST = 3;

export interface Thumbnails {
  /** [n, VIEW_SIDE, VIEW_SIDE] grey, the whole image stretched; zeros where it does not decode. */
  readonly grey: Uint8Array;
  /** Whether an image decoded and has any contrast. */
  readonly usable: readonly boolean[];
  /** Images that do not decode. */
  readonly quarantined: readonly Quarantined[];
}

export interface ThumbnailOptions {
  readonly maxPixels?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
}

/** Decodes every image once, at a small size: 1 KB of memory an image. */
export async function thumbnailsOf(samples: readonly Sample[], options: ThumbnailOptions = {}): Promise<Thumbnails> {
  const size = VIEW_SIDE * VIEW_SIDE;
  const grey = new Uint8Array(samples.length * size);
  const quarantined: Quarantined[] = [];
  let done = 0;
  const usable = await mapConcurrent(
    samples,
    AT_A_TIME,
    async ({ file, id }, index) => {
      try {
        const values = luma(await decodeStretched(file, VIEW_SIDE, options.maxPixels));
        for (let i = 0; i < size; i++) grey[index * size + i] = Math.round(values[i]!);
        return contrast(values) >= LEAST_CONTRAST;
      } catch (error) {
        if (!(error instanceof ImageError)) throw error;
        quarantined.push({ file: id, reason: error.message });
        return false;
      } finally {
        done++;
        if (done % PROGRESS_EVERY === 0 || done === samples.length)
          options.onProgress?.({ type: 'step', stage: 'compare images', done, total: samples.length, unit: 'images' });
      }
    },
    options.signal,
  );
  return { grey, usable, quarantined };
}

function contrast(values: Float32Array): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}
