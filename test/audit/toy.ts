import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { randomStream, type RandomStream } from '../../src/core/random.ts';
import { readDataset } from '../../src/datasets/read.ts';
import { readImages } from '../../src/datasets/read-images.ts';
import { measureImages, type MeasuredImage } from '../../src/audit/measure-images.ts';
import { encodeJpeg, encodePng } from '../../src/images/encode.ts';
import type { Pixels } from '../../src/images/pixels.ts';
import { temporaryFolder } from '../datasets/image-folder.ts';

/** A made-up photo: a striped rectangle on a ground with grain. */
export interface Scene {
  readonly side?: number;
  readonly width?: number;
  readonly height?: number;
  /** Factor on all channels. */
  readonly light?: number;
  readonly ground?: readonly [number, number, number];
  readonly subject?: readonly [number, number, number];
  /** Of the subject, in shares of the side from the centre. */
  readonly x?: number;
  readonly y?: number;
  /** Of the subject's sides, in shares of the image's. */
  readonly size?: number;
  /** Degrees, counter-clockwise. */
  readonly angle?: number;
  readonly grain?: number;
}

export function scene(options: Scene, stream: RandomStream = randomStream('scene')): Pixels {
  const { side = 48, light = 1, x = 0, y = 0, size = 0.5, angle = 0, grain = 3 } = options;
  const { width = side, height = side, ground = [150, 140, 120], subject = [90, 60, 150] } = options;
  const data = new Uint8Array(width * height * 3);
  const [cos, sin] = [Math.cos((angle * Math.PI) / 180), Math.sin((angle * Math.PI) / 180)];
  for (let row = 0, at = 0; row < height; row++)
    for (let column = 0; column < width; column++, at += 3) {
      const [dx, dy] = [(column + 0.5) / width - 0.5 - x, (row + 0.5) / height - 0.5 - y];
      const [u, v] = [cos * dx - sin * dy, sin * dx + cos * dy];
      // Edges a pixel wide, so that nothing jumps.
      const inside = Math.min(1, Math.max(0, (size / 2 - Math.max(Math.abs(u), Math.abs(v))) * width + 0.5));
      const stripe = 0.8 + 0.2 * Math.sign(Math.sin(v * 60));
      const noise = grain * stream.normal();
      for (let c = 0; c < 3; c++) {
        const value = ground[c]! * (1 - inside) + subject[c]! * stripe * inside;
        data[at + c] = Math.min(255, Math.max(0, Math.round(value * light + noise)));
      }
    }
  return { width, height, data };
}

export type Draw = (stream: RandomStream, index: number) => Scene;

/** What photos of one kind differ in, when nothing is wrong. */
export const usual: Draw = (stream) => ({
  light: 0.75 + 0.5 * stream.uniform(),
  ground: [130 + 60 * stream.uniform(), 130 + 60 * stream.uniform(), 100 + 60 * stream.uniform()],
  subject: [60 + 80 * stream.uniform(), 40 + 80 * stream.uniform(), 60 + 120 * stream.uniform()],
  x: 0.03 * stream.normal(),
  y: 0.03 * stream.normal(),
  size: 0.4 + 0.15 * stream.uniform(),
  angle: 3 * stream.normal(),
  grain: 2 + 3 * stream.uniform(),
});

export interface ToyFile {
  readonly path: string;
  readonly draw: Draw;
  readonly count: number;
  /** Of JPEG; without it, PNG. */
  readonly quality?: number | ((stream: RandomStream) => number);
}

/** Writes scenes to `root/path/NAME.png`; names are drawn, so that their order tells nothing, unless `inOrder`. */
export async function writeScenes(root: string, files: readonly ToyFile[], inOrder = false): Promise<void> {
  for (const { path, draw, count, quality } of files)
    for (let i = 0; i < count; i++) {
      const stream = randomStream('toy', path, i, count);
      const name = inOrder ? String(i) : `${stream.integer(2 ** 31)}-${i}`;
      const image = { ...scene(draw(stream, i), stream), channels: 3 as const };
      const file = join(root, path, `${name}.${quality === undefined ? 'png' : 'jpg'}`);
      mkdirSync(dirname(file), { recursive: true });
      const bytes =
        quality === undefined
          ? await encodePng(image)
          : await encodeJpeg(image, typeof quality === 'number' ? quality : quality(stream));
      writeFileSync(file, bytes);
    }
}

export interface ToyData {
  readonly root: string;
  readonly images: readonly MeasuredImage[];
  readonly classes: readonly string[];
}

/** Writes and measures the labelled images of a folder of classes. */
export async function toyData(files: readonly ToyFile[], inOrder = false): Promise<ToyData> {
  const root = temporaryFolder();
  await writeScenes(root, files, inOrder);
  const { samples, classes } = await readDataset(root);
  return { root, classes, images: await measureImages(samples, 'toy') };
}

/** Writes and measures images without labels. */
export async function toyWorld(draw: Draw, count: number): Promise<ToyData> {
  const root = temporaryFolder();
  await writeScenes(root, [{ path: 'world', draw, count }]);
  return { root, classes: [], images: await measureImages(await readImages(root), 'toy') };
}
