import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { decodeImage, type DecodedImage } from '../../src/images/decode.ts';
import { ImageError, type ImageErrorReason } from '../../src/images/image-error.ts';

const oddImages = new URL('../../../shared/data/odd-images/', import.meta.url);

/** Every file of odd-images that must be refused, with the reason; all others decode. */
const REFUSED: Readonly<Record<string, ImageErrorReason>> = {
  'generated/bmp.bmp': 'convert',
  'generated/bomb-1bit-30000x30000.png': 'too-large',
  'generated/bomb-rgba-12000x12000.png': 'too-large',
  'generated/claims-0x0.png': 'corrupt',
  'generated/claims-2e9x2e9-no-data.png': 'too-large',
  'generated/html-404-named.png': 'not-an-image',
  'generated/jpg-claims-65535x65535.jpg': 'too-large',
  'generated/one-byte.jpg': 'not-an-image',
  'generated/png-bad-idat-byte.png': 'corrupt',
  'generated/soi-only.jpg': 'truncated',
  'generated/text-named.jpg': 'not-an-image',
  'generated/truncated-50pct.jpg': 'truncated',
  'generated/truncated-50pct.png': 'truncated',
  'generated/truncated-header-200B.jpg': 'truncated',
  'generated/zero-byte.jpg': 'empty',
  'generated/zero-byte.png': 'empty',
  'sharp/65536-uint32-limit.png': 'too-large',
  'sharp/check.svg': 'unsupported',
  'sharp/corrupt-header.jpg': 'truncated',
  'sharp/truncated.jpg': 'truncated',
  'sharp/truncated.png': 'truncated',
  // PngSuite's broken files: signatures that a transfer spoilt, wrong depths, colour types and checksums.
  ...Object.fromEntries(
    ['xcrn0g04', 'xlfn0g04', 'xs1n0g01', 'xs2n0g01', 'xs4n0g01', 'xs7n0g01'].map((name) => [
      `pngsuite/png/${name}.png`,
      'not-an-image' as const,
    ]),
  ),
  ...Object.fromEntries(
    ['xc1n0g08', 'xc9n2c08', 'xcsn0g01', 'xd0n2c08', 'xd3n2c08', 'xd9n2c08', 'xdtn0g01', 'xhdn0g08'].map((name) => [
      `pngsuite/png/${name}.png`,
      'corrupt' as const,
    ]),
  ),
};

const WARNED: Readonly<Record<string, RegExp>> = {
  'generated/jpg-named.png': /\.png, the content is JPEG/,
  'generated/png-named.jpg': /\.jpg, the content is PNG/,
  'generated/extreme-aspect-1x60000.png': /16 times/,
  'generated/extreme-aspect-60000x1.png': /16 times/,
  'sharp/G31D_MULTI.TIF': /TIFF has several/,
  'sharp/animated-loop-3.gif': /GIF has several/,
  'sharp/rotating-squares.gif': /GIF has several/,
  'sharp/big-height.webp': /WebP has several/,
};

describe.skipIf(!existsSync(oddImages))('decodeImage on odd images', () => {
  const root = fileURLToPath(oddImages);
  const names = existsSync(oddImages)
    ? readdirSync(root, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(root.length).replaceAll('\\', '/'))
    : [];

  it('takes or refuses every file as expected, with bounded memory', async () => {
    const before = process.memoryUsage.rss();
    const outcomes: Record<string, string> = {};
    const expected: Record<string, string> = {};
    for (const name of names) {
      expected[name] = REFUSED[name] ?? 'decoded';
      outcomes[name] = await decodeImage(root + name).then(
        ({ width, height, data }) => (data.length === width * height * 3 ? 'decoded' : 'wrong length'),
        (error: unknown) => (error instanceof ImageError ? error.reason : String(error)),
      );
    }
    expect(names.length).toBeGreaterThan(200);
    expect(outcomes).toEqual(expected);
    // The bombs would take 0.6 to 17 GB.
    expect(process.memoryUsage.rss() - before).toBeLessThan(300e6);
  });

  it('warns where something was chosen for the person', async () => {
    for (const name of names) {
      if (REFUSED[name] !== undefined) continue;
      const { warnings } = await decodeImage(root + name);
      const expected = WARNED[name];
      if (expected === undefined) expect([name, ...warnings]).toEqual([name]);
      else expect([name, warnings.join()]).toEqual([name, expect.stringMatching(expected)]);
    }
  });

  // Pillow is the witness; the script that wrote the file lies beside it.
  it('gives the pixels that Pillow gives, within one grey level', async () => {
    const golden = JSON.parse(readFileSync(new URL('golden/pillow-pixels.json', import.meta.url), 'utf8')) as Record<
      string,
      [width: number, height: number, values: number[]]
    >;
    let compared = 0;
    for (const [name, [width, height, values]] of Object.entries(golden)) {
      if (REFUSED[name] !== undefined) continue;
      const image = await decodeImage(root + name);
      expect([name, image.width, image.height]).toEqual([name, width, height]);
      const far = gridValues(image).map((value, i) => Math.abs(value - values[i]!) > 1);
      expect([name, far.includes(true)]).toEqual([name, false]);
      compared++;
    }
    expect(compared).toBeGreaterThan(200);
  });

  it.each(['Landscape', 'Portrait'])('turns all eight orientations of a %s upright', async (name) => {
    const [first, ...others] = await Promise.all(
      [1, 2, 3, 4, 5, 6, 7, 8].map((orientation) => decodeImage(`${root}exif/${name}_${orientation}.jpg`)),
    );
    for (const other of others) {
      expect([other.width, other.height]).toEqual([first!.width, first!.height]);
      // Encoded apart, so not equal to the bit; a wrong turn is off by tens of levels.
      expect(meanDifference(first!, other)).toBeLessThan(8);
    }
  });

  it('maps every pixel as the eight orientations are defined', async () => {
    // The same stored pixels under eight tags. For each: where the upright pixel (x, y) is stored.
    const [w, h] = [260, 300];
    const stored: ((x: number, y: number) => [number, number])[] = [
      (x, y) => [x, y],
      (x, y) => [w - 1 - x, y],
      (x, y) => [w - 1 - x, h - 1 - y],
      (x, y) => [x, h - 1 - y],
      (x, y) => [y, x],
      (x, y) => [y, h - 1 - x],
      (x, y) => [w - 1 - y, h - 1 - x],
      (x, y) => [w - 1 - y, x],
    ];
    const plain = await decodeImage(`${root}generated/exif-1.jpg`);
    for (const [i, place] of stored.entries()) {
      const image = await decodeImage(`${root}generated/exif-${i + 1}.jpg`);
      expect([image.width, image.height]).toEqual(i < 4 ? [w, h] : [h, w]);
      const wrong = image.data.findIndex((value, at) => {
        const pixel = Math.floor(at / 3);
        const [x, y] = place(pixel % image.width, Math.floor(pixel / image.width));
        return plain.data[(y * w + x) * 3 + (at % 3)] !== value;
      });
      expect([i + 1, wrong]).toEqual([i + 1, -1]);
    }
  });

  it('keeps an unnamed CMYK close to what it shows', async () => {
    const [plain, cmyk] = await Promise.all([
      decodeImage(`${root}generated/gray.jpg`),
      decodeImage(`${root}generated/cmyk.jpg`),
    ]);
    expect([cmyk.width, cmyk.height]).toEqual([plain.width, plain.height]);
    // The same picture in grey: neither inverted nor black.
    expect(correlation(luma(plain.data), luma(cmyk.data))).toBeGreaterThan(0.9);
  });

  it('raises the limit on request', async () => {
    const bomb = `${root}generated/bomb-rgba-12000x12000.png`;
    await expect(decodeImage(bomb, { maxPixels: 143_999_999 })).rejects.toMatchObject({ reason: 'too-large' });
    await expect(decodeImage(`${root}generated/exif-1.jpg`, { maxPixels: 1000 })).rejects.toThrow(/--max-pixels/);
  });
});

describe('decodeImage', () => {
  const red = { r: 255, g: 0, b: 0 };

  it('lays transparency over white and shows nothing hidden under it', async () => {
    // Red pixels of alpha 0, 127 and 255.
    const data = Buffer.from([255, 0, 0, 0, 255, 0, 0, 127, 255, 0, 0, 255]);
    const png = await sharp(data, { raw: { width: 3, height: 1, channels: 4 } })
      .png()
      .toBuffer();
    const { data: rgb } = await decodeImage(png);
    expect([...rgb]).toEqual([255, 255, 255, 255, 128, 128, 255, 0, 0]);
  });

  it('cuts 16 bits to the upper 8', async () => {
    const values = Uint16Array.from([0, 255, 256, 0x7fff, 0x80ff, 0xffff]);
    const png = await sharp(values, { raw: { width: 2, height: 1, channels: 3 } })
      .toColourspace('rgb16')
      .png({ palette: false })
      .toBuffer();
    expect((await sharp(png).metadata()).depth).toBe('ushort');
    expect([...(await decodeImage(png)).data]).toEqual([0, 0, 1, 0x7f, 0x80, 0xff]);
  });

  it('crops beyond 16:1 around the centre of the upright image', async () => {
    // 101 x 2 pixels, the column number in red; 32 columns from 34 stay.
    const data = Buffer.alloc(101 * 2 * 3);
    for (let i = 0; i < 202; i++) data[3 * i] = i % 101;
    for (const orientation of [1, 2, 3, 6, 8]) {
      const png = await sharp(data, { raw: { width: 101, height: 2, channels: 3 } })
        .withMetadata({ orientation })
        .png()
        .toBuffer();
      const whole = await sharp(png).autoOrient().raw().toBuffer({ resolveWithObject: true });
      const image = await decodeImage(png);
      const wide = whole.info.width > whole.info.height;
      expect([image.width, image.height]).toEqual(wide ? [32, 2] : [2, 32]);
      const expected = wide ? whole.data[34 * 3] : whole.data[34 * 2 * 3];
      expect([orientation, image.data[0]]).toEqual([orientation, expected]);
    }
  });

  it('reads WebP, TIFF, GIF and AVIF', async () => {
    const image = sharp({ create: { width: 20, height: 10, channels: 3, background: red } });
    for (const format of ['webp', 'tiff', 'gif', 'avif', 'png', 'jpeg'] as const) {
      const decoded = await decodeImage(await image.clone().toFormat(format).toBuffer());
      expect([decoded.format, decoded.width, decoded.height]).toEqual([format, 20, 10]);
      expect(decoded.data[0]).toBeGreaterThan(245);
      expect(decoded.data[1]).toBeLessThan(10);
    }
  });

  it.each([
    ['%PDF-1.7 ...', 'unsupported', /PDF/],
    ['<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', 'unsupported', /SVG/],
    ['\0\0\0\x18ftypheic\0\0\0\0mif1heic', 'convert', /heif-convert/],
    ['\0\0\0\x18ftypisom\0\0\0\0isommp41', 'unsupported', /isom/],
    ['8BPS\0\x01', 'unsupported', /Photoshop/],
    ['\0\0\0\x0cJXL \r\n\x87\n', 'unsupported', /JPEG XL/],
    ['just a few words', 'not-an-image', /text/],
    ['', 'empty', /0 bytes/],
  ] as const)('refuses %j as %s', async (text, reason, message) => {
    const failure = await decodeImage(Buffer.from(text, 'latin1')).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ImageError);
    expect(failure).toMatchObject({ reason, message: expect.stringMatching(message) as string });
  });

  it('takes a JPEG with stray bytes between its segments, and refuses one cut by its last two', async () => {
    const jpeg = await sharp({ create: { width: 64, height: 64, channels: 3, background: red } })
      .jpeg()
      .toBuffer();
    const scan = jpeg.indexOf(Buffer.from([0xff, 0xda]));
    const stray = Buffer.concat([jpeg.subarray(0, scan), Buffer.from([0, 1, 2]), jpeg.subarray(scan)]);
    expect((await decodeImage(stray)).data).toEqual((await decodeImage(jpeg)).data);
    await expect(decodeImage(jpeg.subarray(0, -2))).rejects.toMatchObject({ reason: 'truncated' });
  });

  it('refuses a missing file, a folder and a pipe without waiting', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gleaner-decode-'));
    try {
      await expect(decodeImage(join(folder, 'none.jpg'))).rejects.toMatchObject({ reason: 'unreadable' });
      await expect(decodeImage(folder)).rejects.toMatchObject({ reason: 'unreadable' });
      if (spawnSync('mkfifo', [join(folder, 'pipe.jpg')]).status === 0)
        await expect(decodeImage(join(folder, 'pipe.jpg'))).rejects.toMatchObject({ reason: 'unreadable' });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

function gridValues({ width, height, data }: DecodedImage): number[] {
  const values: number[] = [];
  for (let i = 0; i < 4; i++)
    for (let j = 0; j < 4; j++) {
      const at = (Math.floor(((2 * i + 1) * height) / 8) * width + Math.floor(((2 * j + 1) * width) / 8)) * 3;
      values.push(data[at]!, data[at + 1]!, data[at + 2]!);
    }
  return values;
}

function meanDifference(a: DecodedImage, b: DecodedImage): number {
  return a.data.reduce((sum, value, i) => sum + Math.abs(value - b.data[i]!), 0) / a.data.length;
}

function luma(rgb: Uint8Array): number[] {
  return Array.from({ length: rgb.length / 3 }, (_, i) => rgb[3 * i]! + 2 * rgb[3 * i + 1]! + rgb[3 * i + 2]!);
}

function correlation(a: readonly number[], b: readonly number[]): number {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [ma, mb] = [mean(a), mean(b)];
  const product = (x: readonly number[], mx: number, y: readonly number[], my: number): number =>
    x.reduce((sum, value, i) => sum + (value - mx) * (y[i]! - my), 0);
  return product(a, ma, b, mb) / Math.sqrt(product(a, ma, a, ma) * product(b, mb, b, mb));
}
