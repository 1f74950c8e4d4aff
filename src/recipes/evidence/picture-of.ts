import { decodeImage } from '../../images/decode.ts';
import { thumbnailUri } from '../../images/encode.ts';
import { ImageError } from '../../images/image-error.ts';

/** A small picture of an image file as `data:` URI; undefined where it can't be read any more. */
export async function pictureOf(file: string, side?: number): Promise<string | undefined> {
  try {
    const { width, height, data } = await decodeImage(file);
    return await thumbnailUri({ width, height, channels: 3, data }, side);
  } catch (error) {
    if (error instanceof ImageError) return undefined;
    throw error;
  }
}
