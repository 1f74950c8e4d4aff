import sharp, { type Sharp } from 'sharp';

/** Raw pixels, [height, width, channels] uint8: grey or RGB. */
export interface RawImage {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  readonly data: Uint8Array;
}

/** The bytes of a PNG file. @throws RangeError where `data` does not fit the size. */
export function encodePng(image: RawImage): Promise<Buffer> {
  return raw(image).png({ compressionLevel: 6 }).toBuffer();
}

/** The bytes of a JPEG file. @param quality 1 to 100 */
export function encodeJpeg(image: RawImage, quality = 90): Promise<Buffer> {
  return raw(image).jpeg({ quality }).toBuffer();
}

/** A small JPEG as a `data:` URI, its longer side at most `side` pixels; for reports that need no network. */
export async function thumbnailUri(image: RawImage, side = 128): Promise<string> {
  const small = await raw(image)
    .resize(side, side, { fit: 'inside', withoutEnlargement: false, kernel: 'cubic' })
    .jpeg({ quality: 80 })
    .toBuffer();
  return `data:image/jpeg;base64,${small.toString('base64')}`;
}

function raw({ width, height, channels, data }: RawImage): Sharp {
  if (data.length !== width * height * channels)
    throw new RangeError(
      `An image of ${width}x${height}x${channels} has ${width * height * channels} bytes, got ${data.length}.`,
    );
  return sharp(data, { raw: { width, height, channels } });
}
