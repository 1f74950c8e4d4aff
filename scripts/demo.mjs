// The main job on real input: writes the digits of the `mnist` package as PNG files (100 labelled, 10 a class; 2,000
// held out for the score; the rest unlabelled) and runs the same `gleaner train` that a user runs, twice: on the labels
// alone, and with the unlabelled images.
// Options are handed on to both: `npm run demo -- --seed 1`.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { newRunFolder } from '../dist/recipes/new-run-folder.js';
import { VIEWS, writeFewLabels } from './digits.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
process.chdir(root);
const given = process.argv.slice(2);
const seed = Number(given[given.indexOf('--seed') + 1]) || 0;
const data = join(root, 'demo-data', `digits-seed${seed}`);
if (!existsSync(data)) await writeFewLabels(data, seed);

const labelsAlone = train('100 labels alone', ['--epochs', '100', '--folds', '0', '--augment', VIEWS.weak]);
const FIXMATCH = '--method fixmatch --labeller average --align labelled --batch-size 16 --mu 4 --steps 450 --lr 0.1';
const withUnlabelled = train('100 labels and 7,900 unlabelled images', [
  ...FIXMATCH.split(' '),
  '--weak',
  VIEWS.weak,
  '--strong',
  VIEWS.strong,
]);
console.error(
  `\n100 labels alone:          ${percent(labelsAlone)} in ${labelsAlone.seconds.toFixed(0)} s` +
    `\nwith unlabelled images:    ${percent(withUnlabelled)} in ${withUnlabelled.seconds.toFixed(0)} s`,
);

/** The score of a training, and how long it took with all that belongs to it; ends the demo where it fails. */
function train(what, flags) {
  const run = newRunFolder();
  const args = ['train', data, ...flags, '--out', run, ...given];
  console.error(`\n${what}:\n> gleaner ${args.map((arg) => (/[|()]/.test(arg) ? `"${arg}"` : arg)).join(' ')}`);
  const started = performance.now();
  const { status } = spawnSync(process.execPath, ['dist/cli/main.js', ...args], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
  const metrics = JSON.parse(readFileSync(join(run, 'metrics.json'), 'utf8'));
  return { ...metrics, seconds: (performance.now() - started) / 1000 };
}

function percent({ accuracy, interval: [low, high], n }) {
  const text = (share) => (100 * share).toFixed(1);
  return `${text(accuracy)} % (95 % interval ${text(low)} to ${text(high)} %) on ${n} images`;
}
