import { describe, expect, it } from 'vitest';
import { decodeImage } from '../../src/images/decode.ts';
import { encodeJpeg, encodePng, thumbnailUri } from '../../src/images/encode.ts';

const data = Uint8Array.from({ length: 20 * 10 * 3 }, (_, i) => (i * 37) % 251);
const image = { width: 20, height: 10, channels: 3, data } as const;

describe('encode', () => {
  it('writes PNG without loss, colour and grey', async () => {
    expect([...(await decodeImage(await encodePng(image))).data]).toEqual([...data]);
    const grey = { width: 3, height: 1, channels: 1, data: Uint8Array.from([0, 100, 255]) } as const;
    expect([...(await decodeImage(await encodePng(grey))).data]).toEqual([0, 0, 0, 100, 100, 100, 255, 255, 255]);
  });

  it('writes JPEG of the quality asked for', async () => {
    const [coarse, fine] = await Promise.all([encodeJpeg(image, 20), encodeJpeg(image, 95)]);
    expect(coarse.length).toBeLessThan(fine.length);
    expect(await decodeImage(fine)).toMatchObject({ format: 'jpeg', width: 20, height: 10 });
  });

  it('writes thumbnails as a data URI of bounded size', async () => {
    const uri = await thumbnailUri({ width: 200, height: 100, channels: 3, data: new Uint8Array(60_000).fill(90) }, 64);
    const [head, body] = uri.split(',') as [string, string];
    expect(head).toBe('data:image/jpeg;base64');
    expect(await decodeImage(Buffer.from(body, 'base64'))).toMatchObject({ width: 64, height: 32 });
  });

  it('refuses data that does not fit the size', () => {
    expect(() => encodePng({ ...image, width: 21 })).toThrow(/has 630 bytes, got 600/);
  });
});
