// The main job on real input: writes the digits of the `mnist` package as PNG files (100 labelled, 10 a class; 2,000
// held out for the score; the rest unlabelled) and runs the same `gleaner train` that a user runs, twice: on the labels
// alone, and with the unlabelled images.
// Options are handed on to both: `npm run demo -- --seed 1`.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { newRunFolder } from '../dist/recipes/new-run-folder.js';
import { writeFewLabels } from './digits.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
process.chdir(root);
const given = process.argv.slice(2);
const seed = Number(given[given.indexOf('--seed') + 1]) || 0;
const data = join(root, 'demo-data', `digits-seed${seed}`);
if (!existsSync(data)) await writeFewLabels(data, seed);

/** Digits as they may be written: slanted, turned, of another size, and uneven. */
const AFFINE =
  'affine(angle=-12..12,translatex=-0.07..0.07,translatey=-0.07..0.07,scale=0.9..1.1,shearx=-12..12,fill=edge)';
const WEAK = `evaluationcrop|${AFFINE}|elastic(0..30,4,fill=edge)`;
const STRONG =
  'evaluationcrop|affine(angle=-20..20,translatex=-0.1..0.1,translatey=-0.1..0.1,scale=0.8..1.2,shearx=-20..20,sheary=-10..10,fill=edge)' +
  '|elastic(0..40,4,fill=edge)|cutout(size=0.1..0.35)';

const labelsAlone = train('100 labels alone', ['--epochs', '100', '--folds', '0', '--augment', WEAK]);
const FIXMATCH =
  '--method fixmatch --labeller average --align labelled --model digits_16 --batch-size 16 --steps 600 --lr 0.1';
const withUnlabelled = train('100 labels and 7,900 unlabelled images', [
  ...FIXMATCH.split(' '),
  '--weak',
  WEAK,
  '--strong',
  STRONG,
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
