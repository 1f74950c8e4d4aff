import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { decodeImage } from '../../src/images/decode.ts';
import { decodeShrunk } from '../../src/images/decode-shrunk.ts';
import { ImageError } from '../../src/images/image-error.ts';
import { resizedCrop } from '../../src/images/crops.ts';

/** A smooth picture, so that filters agree on it. */
function jpeg(width: number, height: number, orientation = 1): Promise<Buffer> {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0, i = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let c = 0; c < 3; c++, i++)
        data[i] = 128 + 80 * Math.sin((x / width) * 5 + c) + 40 * Math.cos((y / height) * 4);
  return sharp(data, { raw: { width, height, channels: 3 } })
    .withMetadata({ orientation })
    .jpeg({ quality: 95 })
    .toBuffer();
}

describe('decodeShrunk', () => {
  it.each([
    [900, 600, 1, [96, 64]],
    [900, 600, 6, [64, 96]],
    [50, 40, 1, [50, 40]],
    [64, 3000, 1, [64, 1024]],
  ])('gives %i x %i pixels, orientation %i, as %j', async (width, height, orientation, expected) => {
    const image = await decodeShrunk(await jpeg(width, height, orientation), 64);
    expect([image.width, image.height]).toEqual(expected);
    expect(image.data.length).toBe(image.width * image.height * 3);
  });

  it('shows what the whole image shows', async () => {
    const bytes = await jpeg(900, 600);
    const [small, whole] = [await decodeShrunk(bytes, 64), await decodeImage(bytes)];
    const expected = new Uint8Array(small.data.length);
    const box = { left: 0, top: 0, width: whole.width, height: whole.height };
    resizedCrop(whole.data, whole.width, box, [small.height, small.width], false, expected);
    const differences = small.data.map((value, i) => Math.abs(value - expected[i]!));
    expect(differences.reduce((sum, d) => sum + d, 0) / differences.length).toBeLessThan(2);
  });

  it('refuses what decodeImage refuses', async () => {
    const bytes = await jpeg(900, 600);
    await expect(decodeShrunk(bytes.subarray(0, bytes.length * 0.6), 64)).rejects.toThrow(ImageError);
    await expect(decodeShrunk(bytes, 64, { maxPixels: 1000 })).rejects.toThrow(/pixels/);
    await expect(decodeShrunk('/nowhere/at/all.jpg', 64)).rejects.toThrow(/no such file/);
  });
});
