// The main job on real input: writes the digits of the `mnist` package as PNG files (100 labelled, 10 a class; 2,000
// held out for the score; the rest unlabelled) and runs the same `gleaner train` that a user runs.
// Options are handed on to `train`: `npm run demo -- --seed 1`.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { encodePng } from '../dist/images/encode.js';
import { randomStream, shuffled } from '../dist/core/random.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const seed = Number(process.argv[process.argv.indexOf('--seed') + 1]) || 0;
const data = join(root, 'demo-data', `digits-seed${seed}`);
const SIDE = 28;
const LABELLED_PER_CLASS = 10;
const HELD_OUT = 2000;

if (!existsSync(data)) await writeDigits(data, seed);

const started = performance.now();
const train = ['dist/cli/main.js', 'train', data, ...process.argv.slice(2)];
console.error(`> gleaner ${train.slice(1).join(' ')}`);
const { status } = spawnSync(process.execPath, train, { cwd: root, stdio: 'inherit' });
if (status === 0) console.error(`Done in ${((performance.now() - started) / 1000).toFixed(0)} s.`);
process.exit(status ?? 1);

/** Writes train/, test/ and unlabeled/; whole or not at all. */
async function writeDigits(folder, draw) {
  const digits = dirname(fileURLToPath(import.meta.resolve('mnist')));
  const held = [];
  const classes = [];
  for (let digit = 0; digit < 10; digit++) {
    // The package's own JSON: 784 numbers an image, 0 to 1.
    const { data: values } = JSON.parse(readFileSync(join(digits, 'digits', `${digit}.json`), 'utf8'));
    const count = Math.floor(values.length / (SIDE * SIDE));
    classes.push(
      Array.from({ length: count }, (_, i) => ({
        digit,
        name: `${digit}-${String(i).padStart(4, '0')}.png`,
        pixels: Uint8Array.from(values.slice(i * SIDE * SIDE, (i + 1) * SIDE * SIDE), (v) => Math.round(v * 255)),
      })),
    );
  }
  const order = shuffled(classes.flat(), randomStream(draw, 'demo', 'held-out'));
  held.push(...order.slice(0, HELD_OUT));
  const rest = order.slice(HELD_OUT);
  const kept = Array.from({ length: 10 }, () => 0);
  const temporary = `${folder}.part`;
  rmSync(temporary, { recursive: true, force: true });
  const writes = [
    ...held.map((image) => ({ image, file: join(temporary, 'test', String(image.digit), image.name) })),
    ...rest.map((image, i) =>
      kept[image.digit]++ < LABELLED_PER_CLASS
        ? { image, file: join(temporary, 'train', String(image.digit), image.name) }
        : // A neutral name: the label must not be readable from it.
          { image, file: join(temporary, 'unlabeled', `${String(i).padStart(5, '0')}.png`) },
    ),
  ];
  console.error(`Writing ${writes.length} digits to ${folder} ...`);
  for (const part of new Set(writes.map(({ file }) => dirname(file)))) mkdirSync(part, { recursive: true });
  const next = writes.values();
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      for (const { image, file } of next)
        writeFileSync(file, await encodePng({ width: SIDE, height: SIDE, channels: 1, data: image.pixels }));
    }),
  );
  renameSync(temporary, folder);
}
