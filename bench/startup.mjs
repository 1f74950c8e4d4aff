// What it takes until training runs, and to finish: part by part in fresh processes, and whole runs of `gleaner train`.
// node bench/startup.mjs [--networks mobilenetv2,digits] [--batch 8] [--rounds 3] [--threads 2] [--no-tune] [--no-runs]
//   [--backbone FILE] [--json]
// Parts are the milliseconds of a process that has run nothing before; tuning is measured with an empty cache and with
// the one that it has filled. Whole runs: 200 digits, two epochs, from scratch (and with --backbone fine-tuned).
// Starting is all until the first step but the probe (features and a linear classifier); preparing is what later stages
// take before theirs.
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { digitsFolder, temporaryFolder } from './support/digits-folder.mjs';
import { chosen, figure, median, ratio, Report, round } from './support/report.mjs';

const ROWS = [
  { network: 'digits', mode: 'batch' },
  { network: 'resnet18-cifar-w16', mode: 'batch' },
  { network: 'mobilenetv2', mode: 'frozen' },
  { network: 'vit-tiny', mode: 'frozen' },
];
const PARTS = [
  ['modules', 'modules'],
  ['engine', 'engine'],
  ['block', 'blockSize'],
  ['build', 'build'],
  ['special.', 'specialise'],
  ['gradient', 'gradient'],
  ['lower', 'lower'],
  ['compile 2', 'compileAgain'],
  ['tune cold', 'tuning'],
  ['shapes', 'tuned'],
  ['tune warm', 'tuningWarm'],
  ['write', 'write'],
  ['session', 'session'],
  ['step 1', 'firstStep'],
  ['step 2', 'secondStep'],
  ['step 3', 'thirdStep'],
  ['export', 'export'],
  ['parity', 'parity'],
];
const { values } = parseArgs({
  allowNegative: true,
  options: {
    networks: { type: 'string' },
    batch: { type: 'string', default: '8' },
    rounds: { type: 'string', default: '3' },
    threads: { type: 'string', default: '2' },
    tune: { type: 'boolean', default: true },
    runs: { type: 'boolean', default: true },
    backbone: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const [batch, rounds, threads] = [values.batch, values.rounds, values.threads].map(Number);
const rows = ROWS.filter(({ network }) => chosen(values.networks, network));
if (rows.length === 0) {
  console.error(`No such row. Networks: ${ROWS.map(({ network }) => network)}.`);
  process.exit(2);
}

const parts = new Report('startup', {
  json: values.json,
  columns: [
    { title: 'ms', width: 18, left: true, text: (row) => row.model },
    ...PARTS.map(([title, name]) => ({ title, width: Math.max(8, title.length), text: (row) => figure(row[name], 0) })),
  ],
});
for (const row of rows) {
  const taken = [];
  for (let i = 0; i < rounds; i++) {
    const cache = temporaryFolder();
    // The first fills the cache; without tuning there is nothing in it.
    const cold = ask({ ...row, batch, threads, tune: values.tune }, cache);
    const warm = values.tune ? ask({ ...row, batch, threads, tune: true }, cache) : undefined;
    taken.push({ ...cold, ...(warm && { tuningWarm: warm.tuning }) });
  }
  const names = PARTS.map(([, name]) => name).filter((name) => name in taken[0]);
  const medians = Object.fromEntries(names.map((name) => [name, round(median(taken.map((one) => one[name])))]));
  parts.row({ part: 'parts', model: row.network, mode: row.mode, batch, ...medians });
}
if (values.runs) await measureRuns();

/** Milliseconds of each part, from a fresh process. */
function ask(question, cache) {
  const child = fileURLToPath(new URL('support/startup-child.mjs', import.meta.url));
  const { status, stdout } = spawnSync(process.execPath, [child, JSON.stringify(question)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
    env: { ...process.env, GLEANER_CACHE: cache },
  });
  if (status !== 0) throw new Error(`The process of ${question.network} ended with exit code ${status}.`);
  return JSON.parse(stdout);
}

async function measureRuns() {
  const report = new Report('startup', {
    json: values.json,
    columns: [
      {
        title: 'gleaner train, seconds',
        width: 28,
        left: true,
        text: (row) => `${row.model}${row.cold ? ', cold' : ''}`,
      },
      { title: 'starting', width: 8, text: (row) => figure(row.starting) },
      { title: 'training', width: 8, text: (row) => figure(row.training) },
      { title: 'probing', width: 7, text: (row) => figure(row.probing) },
      { title: 'preparing later stages', width: 22, text: (row) => figure(row.preparing) },
      { title: 'predicting', width: 10, text: (row) => figure(row.predicting) },
      { title: 'finishing', width: 9, text: (row) => figure(row.finishing) },
      { title: 'leaving', width: 7, text: (row) => figure(row.leaving) },
      { title: 'all', width: 6, text: (row) => figure(row.seconds) },
      { title: 'starting / training', width: 19, text: (row) => figure(row.ratio, 2) },
    ],
  });
  const data = await digitsFolder({ train: 20, test: 5 });
  const runs = [{ model: 'digits, from scratch', flags: [] }];
  if (values.backbone) runs.push({ model: 'backbone, fine-tuned', flags: ['--backbone', values.backbone] });
  for (const { model, flags } of runs) {
    const cache = temporaryFolder();
    const taken = [];
    for (let i = 0; i < rounds; i++) taken.push(await train([data, ...flags, '--epochs', '2'], cache));
    // The first run finds its cache empty.
    for (const [cold, list] of [
      [true, taken.slice(0, 1)],
      [false, taken.slice(1)],
    ]) {
      if (list.length === 0) continue;
      const line = Object.fromEntries(Object.keys(list[0]).map((name) => [name, median(list.map((one) => one[name]))]));
      const all = Object.fromEntries(Object.entries(line).map(([name, value]) => [name, round(value)]));
      report.row({
        part: 'run',
        model,
        cold,
        images: 200,
        epochs: 2,
        ...all,
        ratio: round(ratio(line.starting, line.training)),
      });
    }
  }
}

/** Runs `gleaner train` and reads from its events where the seconds went. */
function train(flags, cache) {
  const out = join(temporaryFolder(), 'run');
  const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
  const began = Date.now();
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [main, 'train', ...flags, '--out', out, '--quiet'], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, GLEANER_CACHE: cache },
    });
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(secondsOf(out, began, Date.now()));
      else reject(new Error(`gleaner train ${flags.join(' ')} ended with exit code ${code}.`));
    });
  });
}

/** Seconds of a run's parts. An epoch's images over its images a second are its steps alone. */
function secondsOf(out, began, ended) {
  const events = readFileSync(join(out, 'events.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .map((event) => ({ ...event, at: Date.parse(event.time) }));
  // Stages follow one another; what happens inside one need not name it.
  const stages = [];
  for (const event of events) {
    if (event.type === 'stage' && event.state === 'start') stages.push([]);
    stages.at(-1)?.push(event);
  }
  let [training, preparing, probing, predicting, starting] = [0, 0, 0, 0, undefined];
  for (const list of stages) {
    const start = list[0].at;
    const end = list.find(({ type, state }) => type === 'stage' && state === 'end').at;
    const epochs = list.filter(({ type }) => type === 'epoch');
    // A probe, in a stage of its own or before the first epoch, is work by itself.
    const probed = epochs.length < 2 ? end : (list.findLast(({ type }) => type === 'probe')?.at ?? start);
    probing += probed - start;
    if (epochs.length < 2) continue;
    // From the second epoch on nothing else happens between two events.
    const second = epochs[1].at - epochs[0].at;
    const firstEpoch = (second * epochs[1].imagesPerSecond) / epochs[0].imagesPerSecond;
    const ready = epochs[0].at - firstEpoch;
    training += epochs.at(-1).at - ready;
    predicting += end - epochs.at(-1).at;
    if (starting === undefined) starting = ready - began - probing;
    else preparing += ready - probed;
  }
  const last = events.findLast(({ type, state }) => type === 'stage' && state === 'end').at;
  const finished = events.findLast(({ type }) => type === 'finished').at;
  const parts = {
    starting,
    training,
    preparing,
    probing,
    predicting,
    finishing: finished - last,
    leaving: ended - finished,
    seconds: ended - began,
  };
  return Object.fromEntries(Object.entries(parts).map(([name, ms]) => [name, ms / 1000]));
}
