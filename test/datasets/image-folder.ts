import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { onTestFinished } from 'vitest';
import { randomStream } from '../../src/core/random.ts';

/** A folder that goes when the test ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'gleaner-data-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A smooth picture of its own for each seed. @returns [side, side, 3] */
export function picture(seed: number | string, side = 32): Buffer {
  const random = randomStream(seed, 'picture');
  const waves = Array.from({ length: 5 }, () => [random.uniform() - 0.5, random.uniform() - 0.5, 6 * random.uniform()]);
  const colours = waves.map(() => [random.uniform() * 60, random.uniform() * 60, random.uniform() * 60]);
  const pixels = Buffer.alloc(side * side * 3);
  for (let i = 0; i < pixels.length; i++) {
    const [x, y] = [((Math.floor(i / 3) % side) * 32) / side, (Math.floor(i / 3 / side) * 32) / side];
    const value = waves.reduce((sum, [a, b, c], w) => sum + colours[w]![i % 3]! * Math.sin(a! * x + b! * y + c!), 128);
    pixels[i] = Math.max(0, Math.min(255, value));
  }
  return pixels;
}

export function png(seed: number | string, side = 32): Promise<Buffer> {
  return sharp(picture(seed, side), { raw: { width: side, height: side, channels: 3 } })
    .png()
    .toBuffer();
}

/** Writes files by path; a number or text that is not a Buffer is the seed of a PNG. */
export async function writeImages(root: string, files: Readonly<Record<string, number | Buffer>>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    const file = join(root, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, typeof content === 'number' ? await png(content) : content);
  }
}
