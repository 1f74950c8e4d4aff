// The main job on real input: writes the digits of the `mnist` package as PNG files (100 labelled, 10 a class; 2,000
// held out for the score; the rest unlabelled) and runs the same `gleaner train` that a user runs.
// Options are handed on to `train`: `npm run demo -- --seed 1`.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { randomStream, shuffled } from '../dist/core/random.js';
import { readDigits, writeDigits } from './digits.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const seed = Number(process.argv[process.argv.indexOf('--seed') + 1]) || 0;
const data = join(root, 'demo-data', `digits-seed${seed}`);
const LABELLED_PER_CLASS = 10;
const HELD_OUT = 2000;

if (!existsSync(data)) await writeData(data, seed);

const started = performance.now();
const train = ['dist/cli/main.js', 'train', data, ...process.argv.slice(2)];
console.error(`> gleaner ${train.slice(1).join(' ')}`);
const { status } = spawnSync(process.execPath, train, { cwd: root, stdio: 'inherit' });
if (status === 0) console.error(`Done in ${((performance.now() - started) / 1000).toFixed(0)} s.`);
process.exit(status ?? 1);

/** Writes train/, test/ and unlabeled/. */
async function writeData(folder, draw) {
  const order = shuffled(readDigits(), randomStream(draw, 'demo', 'held-out'));
  const kept = Array.from({ length: 10 }, () => 0);
  const files = [
    ...order.slice(0, HELD_OUT).map((image) => ({ image, path: join('test', String(image.digit), image.name) })),
    ...order.slice(HELD_OUT).map((image, i) =>
      kept[image.digit]++ < LABELLED_PER_CLASS
        ? { image, path: join('train', String(image.digit), image.name) }
        : // A neutral name: the label must not be readable from it.
          { image, path: join('unlabeled', `${String(i).padStart(5, '0')}.png`) },
    ),
  ];
  console.error(`Writing ${files.length} digits to ${folder} ...`);
  await writeDigits(folder, files);
}
