// The digits of the `mnist` package, and PNG files of them: for the demo and the benchmarks.
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { randomStream, shuffled } from '../dist/core/random.js';
import { encodePng } from '../dist/images/encode.js';

const SIDE = 28;

/** All digits, class by class: { digit, name, pixels: uint8 [28, 28] }. */
export function readDigits() {
  const folder = join(dirname(fileURLToPath(import.meta.resolve('mnist'))), 'digits');
  return Array.from({ length: 10 }, (_, digit) => {
    // The package's own JSON: 784 numbers an image, 0 to 1.
    const { data: values } = JSON.parse(readFileSync(join(folder, `${digit}.json`), 'utf8'));
    return Array.from({ length: Math.floor(values.length / (SIDE * SIDE)) }, (_unused, i) => ({
      digit,
      name: `${digit}-${String(i).padStart(4, '0')}.png`,
      pixels: Uint8Array.from(values.slice(i * SIDE * SIDE, (i + 1) * SIDE * SIDE), (v) => Math.round(v * 255)),
    }));
  }).flat();
}

/**
 * Writes images into a folder, whole or not at all.
 * @param files { image, path: where below the folder }
 */
export async function writeDigits(folder, files) {
  const temporary = `${folder}.part`;
  rmSync(temporary, { recursive: true, force: true });
  for (const part of new Set(files.map(({ path }) => dirname(path))))
    mkdirSync(join(temporary, part), { recursive: true });
  const next = files.values();
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      for (const { image, path } of next) {
        const png = await encodePng({ width: SIDE, height: SIDE, channels: 1, data: image.pixels });
        writeFileSync(join(temporary, path), png);
      }
    }),
  );
  renameSync(temporary, folder);
}

const LABELLED_PER_CLASS = 10;
const HELD_OUT = 2000;

/**
 * Writes test/ (2,000 digits), train/ (100, ten a class) and unlabeled/ (all others), drawn anew by `draw`.
 * @param hide false puts the unlabelled ones under train/ and their class, too
 * @returns `chosen`: where the hundred lie
 */
export async function writeFewLabels(folder, draw, { hide = true } = {}) {
  const order = shuffled(readDigits(), randomStream(draw, 'demo', 'held-out'));
  const kept = Array.from({ length: 10 }, () => 0);
  const chosen = [];
  const files = order.map((image, i) => {
    const ofClass = (part) => join(part, String(image.digit), image.name);
    if (i < HELD_OUT) return { image, path: ofClass('test') };
    if (kept[image.digit]++ < LABELLED_PER_CLASS) {
      chosen.push(ofClass('train'));
      return { image, path: ofClass('train') };
    }
    // A neutral name: the label must not be readable from it.
    const path = hide ? join('unlabeled', `${String(i - HELD_OUT).padStart(5, '0')}.png`) : ofClass('train');
    return { image, path };
  });
  console.error(`Writing ${files.length} digits to ${folder} ...`);
  await writeDigits(folder, files);
  return { chosen };
}
