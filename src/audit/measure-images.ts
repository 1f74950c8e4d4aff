import type { OnProgress } from '../core/progress.ts';
import { mapConcurrent } from '../datasets/concurrent.ts';
import type { Sample } from '../datasets/dataset.ts';
import { resizedCrop } from '../images/crops.ts';
import { DEFAULT_MAX_PIXELS, readImageFile } from '../images/decode.ts';
import { decodeShrunk } from '../images/decode-shrunk.ts';
import type { ImageFormat } from '../images/format.ts';
import { ImageError } from '../images/image-error.ts';
import { jpegQuality } from '../images/jpeg-quality.ts';
import { measurePixels } from './measure.ts';
import type { Measures } from './properties.ts';

/** Of the shorter side, to which larger images are shrunk: near what networks see. Smaller ones stay as they are. */
export const MEASURED_SIDE = 224;
/** Of the thumbnails that classes are told apart by. */
export const THUMBNAIL_SIDE = 8;
/** Standard deviation of luma below which there is nothing to see. */
const BLANK_CONTRAST = 3;
/** Decoding has four threads by default, and the next images are read meanwhile. */
const AT_A_TIME = 6;
const PROGRESS_EVERY = 200;

/** An image and what was found out about it. */
export interface MeasuredImage {
  readonly sample: Sample;
  readonly format: ImageFormat;
  readonly measures: Measures;
  /** All channels are the same. */
  readonly isGrey: boolean;
  readonly isBlank: boolean;
  /** [THUMBNAIL_SIDE, THUMBNAIL_SIDE, 3], the whole image stretched. */
  readonly thumbnail: Uint8Array;
}

export interface MeasureOptions {
  readonly maxPixels?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
}

/** Decodes each image once and measures it; what does not decode is left out. Memory: 1 KB an image. */
export async function measureImages(
  samples: readonly Sample[],
  stage: string,
  options: MeasureOptions = {},
): Promise<MeasuredImage[]> {
  let done = 0;
  const measured = await mapConcurrent(
    samples,
    AT_A_TIME,
    async (sample) => {
      try {
        return await measureImage(sample, options.maxPixels ?? DEFAULT_MAX_PIXELS);
      } catch (error) {
        if (!(error instanceof ImageError)) throw error;
        return undefined;
      } finally {
        done++;
        if (done % PROGRESS_EVERY === 0 || done === samples.length)
          options.onProgress?.({ type: 'step', stage, done, total: samples.length, unit: 'images' });
      }
    },
    options.signal,
  );
  return measured.filter((image) => image !== undefined);
}

async function measureImage(sample: Sample, maxPixels: number): Promise<MeasuredImage> {
  const bytes = await readImageFile(sample.file, maxPixels);
  const image = await decodeShrunk(bytes, MEASURED_SIDE, { maxPixels });
  const { width, height, data, format } = image;
  // The file's own size, upright as the image is.
  const [long, short] = [Math.max(sample.width, sample.height), Math.min(sample.width, sample.height)];
  const quality = format === 'jpeg' ? jpegQuality(bytes) : undefined;
  const measures = {
    ...measurePixels(image, 'colour'),
    ...measurePixels(image, 'geometry'),
    ...measurePixels(image, 'detail'),
    side: Math.log2(short),
    aspect: (width < height ? -1 : 1) * Math.log2(long / short),
    jpegQuality: quality ?? Number.NaN,
  } as Measures;
  const thumbnail = new Uint8Array(THUMBNAIL_SIDE * THUMBNAIL_SIDE * 3);
  resizedCrop(data, width, { left: 0, top: 0, width, height }, [THUMBNAIL_SIDE, THUMBNAIL_SIDE], false, thumbnail);
  return { sample, format, measures, isGrey: isGrey(data), isBlank: measures.contrast < BLANK_CONTRAST, thumbnail };
}

/** Up to what JPEG's chroma leaves of rounding. */
function isGrey(data: Uint8Array): boolean {
  for (let i = 0; i < data.length; i += 3)
    if (Math.abs(data[i]! - data[i + 1]!) > 2 || Math.abs(data[i + 1]! - data[i + 2]!) > 2) return false;
  return true;
}
