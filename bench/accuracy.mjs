// What augmentation is worth: arms x seeds of a study, each cell one training, resumable.
// node bench/accuracy.mjs STUDY --results FILE [--data FOLDER] [--arms A,B] [--seeds 0,1,2,3,4] [--epochs N] [--minutes N]
//   [--base ARM] [--json] and the study's own flags (README)
// A JSON line a finished cell goes to FILE; finished ones are skipped. Ctrl-C or kill -9, then the same command goes on.
import { rmSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { packageVersion } from '../dist/core/package-version.js';
import { AbortedError } from '../dist/index.js';
import { biased } from './accuracy/biased.mjs';
import { cifar10 } from './accuracy/cifar10.mjs';
import { clothing } from './accuracy/clothing.mjs';
import { cutMixLocalisation } from './accuracy/cutmix-localisation.mjs';
import { distillation } from './accuracy/distillation.mjs';
import { selfTraining } from './accuracy/self-training.mjs';
import { semiSupervised } from './accuracy/semi-supervised.mjs';
import { armRows } from './support/arm-table.mjs';
import { Results, workFolder, workOff } from './support/matrix.mjs';
import { figure, numbers, Report, round } from './support/report.mjs';

const STUDIES = new Map(
  [cifar10, clothing, biased, cutMixLocalisation, distillation, selfTraining, semiSupervised].map((study) => [
    study.name,
    study,
  ]),
);
const study = STUDIES.get(process.argv[2]);
if (study === undefined)
  stop(`Which study? ${[...STUDIES.values()].map(({ name, about }) => `${name} (${about})`).join(', ')}.`);
const { values } = parseArgs({
  args: process.argv.slice(3),
  options: {
    data: { type: 'string' },
    results: { type: 'string' },
    arms: { type: 'string' },
    seeds: { type: 'string', default: '0,1,2,3,4' },
    epochs: { type: 'string' },
    minutes: { type: 'string' },
    base: { type: 'string', default: study.base },
    json: { type: 'boolean', default: false },
    ...study.flags,
  },
});
for (const flag of ['results', ...study.needs])
  if (values[flag] === undefined) stop(`The study "${study.name}" needs --${flag}.`);

const epochs = values.epochs === undefined ? study.epochs : Number(values.epochs);
const known = study.arms(values);
const wanted = values.arms?.split(',') ?? known.filter(({ isExtra }) => !isExtra).map(({ name }) => name);
const cells = numbers(values.seeds).flatMap((seed) =>
  // Seeds outside: wherever it stops, arms are paired.
  wanted.map((name) => {
    const arm = known.find((one) => one.name === name);
    if (arm === undefined) stop(`There is no arm "${name}"; there are ${known.map((one) => one.name).join(', ')}.`);
    const options = {
      ...arm.options,
      ...(epochs !== undefined && { epochs }),
      ...(values.data !== undefined && { data: basename(values.data) }),
    };
    return { study: study.name, arm: name, seed, options, version: packageVersion() };
  }),
);

const points = (value) =>
  value === null || value === undefined ? '-' : `${value >= 0 ? '+' : ''}${(100 * value).toFixed(1)}`;
const report = new Report('accuracy', {
  json: values.json,
  columns: [
    { title: 'arm', width: 14, left: true, text: (row) => row.arm },
    { title: 'metric', width: 9, left: true, text: (row) => row.metric },
    { title: 'runs', width: 4, text: (row) => row.runs },
    { title: 'mean, %', width: 7, text: (row) => figure(100 * row.mean) },
    { title: '±', width: 4, text: (row) => (row.deviation === null ? '-' : figure(100 * row.deviation)) },
    { title: `over ${values.base}`, width: 14, text: (row) => points(row.gain?.mean) },
    { title: '95 %', width: 14, text: (row) => interval(row.gain?.interval) },
    { title: 'images', width: 7, text: (row) => figure(row.images, 0) },
    { title: 'training, s', width: 11, text: (row) => figure(row.trainingSeconds, 0) },
  ],
});
const interval = (ends) => (ends ? ends.map(points).join(' to ') : '-');

const stopping = new AbortController();
process.once('SIGINT', () => stopping.abort());
process.once('SIGTERM', () => stopping.abort());
const results = new Results(values.results);
const folder = workFolder(`${values.results}.work`);
const machine = `${cpus()[0]?.model.trim()}, ${availableParallelism()} threads`;
const opened = await study.open(values, folder);
let outcome;
try {
  outcome = await workOff(cells, {
    results,
    minutes: values.minutes === undefined ? undefined : Number(values.minutes),
    signal: stopping.signal,
    async run(cell) {
      // What tells a cell from others but is no option of `train`.
      const { data: _name, ...options } = cell.options;
      return { ...(await opened.run({ ...cell, options }, { folder, signal: stopping.signal })), machine };
    },
    onCell: ({ arm, seed }, i, all) => console.error(`${study.name}: ${arm}, seed ${seed} (cell ${i + 1} of ${all})`),
  });
} catch (error) {
  if (!(error instanceof AbortedError)) throw error;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
if (outcome === undefined) stop('Interrupted. The same command begins again with the cell that was under way.', 130);

const finished = study.derive && outcome.finished.length > 0 ? study.derive(outcome.finished) : outcome.finished;
for (const row of armRows(finished, study.metrics, values.base)) report.row({ ...row, study: study.name });
for (const line of finished.length > 0 ? (study.summary?.(finished) ?? []) : []) {
  const { what, share, mean, n } = line;
  if (values.json) report.row({ study: study.name, ...line, share: round(share), mean: round(mean) });
  else if (share !== undefined) report.say(`${what}: ${figure(share, 2)}`);
  else report.say(`${what}: ${points(mean)} points (95 % ${interval(line.interval)}, ${n} seeds)`);
}
report.say('Intervals are of paired differences, seed by seed, by Student’s t.');
if (outcome.left > 0) report.say(`${outcome.left} cells are left: the same command goes on.`);

function stop(message, code = 2) {
  console.error(message);
  process.exit(code);
}
