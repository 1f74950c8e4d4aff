// Makes a folder of many small images, to see that large data sets are read in time and in bounded memory:
//   node scripts/make-many-images.mjs FOLDER [COUNT = 100000] [CLASSES = 10]
// Each is a PNG of 32 x 32 pixels with a smooth pattern of its own; one in a hundred is a mirrored copy of
// another, which `gleaner data check` has to find.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import { randomStream } from '../dist/core/random.js';

const SIDE = 32;
const [folder, count = '100000', classes = '10'] = process.argv.slice(2);
if (folder === undefined) {
  console.error('Usage: node scripts/make-many-images.mjs FOLDER [COUNT] [CLASSES]');
  process.exit(2);
}

for (let label = 0; label < Number(classes); label++) mkdirSync(join(folder, `class-${label}`), { recursive: true });
for (let i = 0; i < Number(count); i++) {
  const copied = i % 100 === 99;
  const pixels = pattern(copied ? i - 1 : i);
  // A copy is in the class of its original.
  const label = Math.floor(i / 2) % Number(classes);
  const name = `${String(i).padStart(7, '0')}.png`;
  writeFileSync(join(folder, `class-${label}`, name), png(copied ? mirrored(pixels) : pixels));
}

/** A sum of waves of random direction, colour and phase. */
function pattern(seed) {
  const random = randomStream('many-images', seed);
  const waves = Array.from({ length: 6 }, () => ({
    x: (random.uniform() - 0.5) * 1.2,
    y: (random.uniform() - 0.5) * 1.2,
    phase: random.uniform() * 2 * Math.PI,
    colour: [0, 1, 2].map(() => (random.uniform() - 0.3) * 60),
  }));
  const pixels = new Uint8Array(SIDE * SIDE * 3);
  for (let y = 0, at = 0; y < SIDE; y++)
    for (let x = 0; x < SIDE; x++)
      for (let channel = 0; channel < 3; channel++, at++) {
        const value = waves.reduce((sum, w) => sum + w.colour[channel] * Math.sin(w.x * x + w.y * y + w.phase), 128);
        pixels[at] = Math.max(0, Math.min(255, Math.round(value)));
      }
  return pixels;
}

function mirrored(pixels) {
  const result = new Uint8Array(pixels.length);
  for (let y = 0; y < SIDE; y++)
    for (let x = 0; x < SIDE; x++) {
      const from = (y * SIDE + SIDE - 1 - x) * 3;
      result.set(pixels.subarray(from, from + 3), (y * SIDE + x) * 3);
    }
  return result;
}

function png(pixels) {
  const rows = Buffer.alloc(SIDE * (SIDE * 3 + 1));
  for (let y = 0; y < SIDE; y++) rows.set(pixels.subarray(y * SIDE * 3, (y + 1) * SIDE * 3), y * (SIDE * 3 + 1) + 1);
  const header = Buffer.alloc(13);
  header.writeUInt32BE(SIDE, 0);
  header.writeUInt32BE(SIDE, 4);
  // 8 bits a channel, RGB.
  header.set([8, 2, 0, 0, 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows, { level: 1 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  check.writeUInt32BE(crc32(body) >>> 0);
  return Buffer.concat([length, body, check]);
}
