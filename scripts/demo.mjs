// The main job on real input: writes the digits of the `mnist` package as PNG files (100 labelled, 10 a class; 2,000
// held out for the score; the rest unlabelled) and runs the same `gleaner train` that a user runs, by its plan for 3 minutes: on
// the labels alone, then on all images. Both are scored.
// Options are handed on to `train`: `npm run demo -- --seed 1`.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeFewLabels } from './digits.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const seed = Number(process.argv[process.argv.indexOf('--seed') + 1]) || 0;
const data = join(root, 'demo-data', `digits-seed${seed}`);
if (!existsSync(data)) await writeFewLabels(data, seed);

const started = performance.now();
const train = ['dist/cli/main.js', 'train', data, '--budget', '3m', ...process.argv.slice(2)];
console.error(`> gleaner ${train.slice(1).join(' ')}`);
const { status } = spawnSync(process.execPath, train, { cwd: root, stdio: 'inherit' });
if (status === 0) console.error(`Done in ${((performance.now() - started) / 1000).toFixed(0)} s.`);
process.exit(status ?? 1);
