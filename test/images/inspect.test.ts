import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp, { type Sharp } from 'sharp';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { ImageFormat } from '../../src/images/format.ts';
import { storedSize } from '../../src/images/header.ts';
import { inspectImage } from '../../src/images/inspect.ts';
import { decodeStretched } from '../../src/images/stretched.ts';

const exif = new URL('../../../shared/data/odd-images/exif/', import.meta.url);

const red = sharp({ create: { width: 70, height: 40, channels: 3, background: 'red' } });

function file(content: Buffer, name = 'x'): string {
  const folder = mkdtempSync(join(tmpdir(), 'gleaner-inspect-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

describe('storedSize', () => {
  it('is what the decoder says', async () => {
    const variants = {
      jpeg: [red.clone().jpeg(), red.clone().jpeg({ progressive: true })],
      png: [red.clone().png()],
      gif: [red.clone().gif()],
      webp: [red.clone().webp(), red.clone().webp({ lossless: true }), red.clone().ensureAlpha(0.5).webp()],
    } satisfies Partial<Record<ImageFormat, Sharp[]>>;
    for (const [format, images] of Object.entries(variants) as [ImageFormat, Sharp[]][])
      for (const image of images) expect(storedSize(format, await image.toBuffer())).toEqual({ width: 70, height: 40 });
  });

  it('is undefined where the header is not all there', async () => {
    const jpeg = await red.clone().jpeg().toBuffer();
    expect(storedSize('jpeg', jpeg.subarray(0, 60))).toBeUndefined();
    expect(storedSize('png', Buffer.alloc(20))).toBeUndefined();
  });

  it.skipIf(!existsSync(exif))('finds the size behind metadata', async () => {
    for (const name of readdirSync(fileURLToPath(exif))) {
      const bytes = readFileSync(new URL(name, exif));
      const { width, height } = await sharp(bytes).metadata();
      expect(storedSize('jpeg', bytes)).toEqual({ width, height });
    }
  });
});

describe('inspectImage', () => {
  it('tells size, format and key, also of formats whose header the decoder reads', async () => {
    for (const format of ['tiff', 'avif', 'png'] as const) {
      const bytes = await red.clone().toFormat(format).toBuffer();
      expect(await inspectImage(file(bytes))).toMatchObject({
        format,
        width: 70,
        height: 40,
        bytes: bytes.length,
        frames: 1,
      });
    }
  });

  it('finds the size behind more than 192 KB of colour profile', async () => {
    const jpeg = await red.clone().jpeg().toBuffer();
    // Five segments of application data, 64 KB each.
    const segment = Buffer.concat([Buffer.from([0xff, 0xed, 0xff, 0xff]), Buffer.alloc(65_533)]);
    const path = file(
      Buffer.concat([jpeg.subarray(0, 2), ...Array.from({ length: 5 }, () => segment), jpeg.subarray(2)]),
    );
    expect(await inspectImage(path)).toMatchObject({ width: 70, height: 40 });
  });

  it('refuses what announces too many pixels', async () => {
    await expect(inspectImage(file(await red.clone().png().toBuffer()), 2799)).rejects.toMatchObject({
      reason: 'too-large',
    });
    await expect(inspectImage(file(await red.clone().tiff().toBuffer()), 2799)).rejects.toMatchObject({
      reason: 'too-large',
    });
  });
});

describe('decodeStretched', () => {
  it('treats a picture and its mirror image alike, enlarging and reducing', async () => {
    const data = Uint8Array.from({ length: 24 * 24 * 3 }, (_, i) => 128 + 100 * Math.sin(i / 3 / 5 + (i % 3)));
    const image = sharp(data, { raw: { width: 24, height: 24, channels: 3 } });
    for (const side of [12, 24, 32, 50]) {
      const straight = await decodeStretched(file(await image.clone().png().toBuffer()), side);
      const mirrored = await decodeStretched(file(await image.clone().flop().png().toBuffer()), side);
      let far = 0;
      for (let y = 0; y < side; y++)
        for (let x = 0; x < side; x++)
          far = Math.max(far, Math.abs(straight[(y * side + x) * 3]! - mirrored[(y * side + side - 1 - x) * 3]!));
      expect([side, far <= 2]).toEqual([side, true]);
    }
  });

  it('stretches any aspect to a square', async () => {
    const wide = sharp({ create: { width: 300, height: 10, channels: 3, background: 'blue' } });
    const pixels = await decodeStretched(file(await wide.png().toBuffer()), 16);
    expect(pixels.length).toBe(16 * 16 * 3);
    expect([...pixels.subarray(0, 3)]).toEqual([0, 0, 255]);
  });
});
