// Accuracy with few labels by the command a user runs: `gleaner train` over label lists, several seeds.
// node bench/clothing.mjs --data DIR --lists 'DIR/clothing-10-per-class-seed{0,1,2,3,4}.txt' --backbone FILE [--methods probe,finetune] [--json] [-- further flags of train]
// A line a run, then mean and standard deviation by method, and the paired difference of the last method to the first.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { figure, Report, round } from './support/report.mjs';
import { deviation, mean } from './support/statistics.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    data: { type: 'string' },
    lists: { type: 'string', multiple: true },
    backbone: { type: 'string' },
    methods: { type: 'string', default: 'probe,finetune' },
    seeds: { type: 'string', default: '0' },
    json: { type: 'boolean', default: false },
  },
});
if (!values.data) {
  console.error('bench/clothing.mjs needs --data (and usually --lists and --backbone).');
  process.exit(2);
}

const percent = (value, digits = 1) => figure(value === null || value === undefined ? value : 100 * value, digits);
const report = new Report('clothing', {
  json: values.json,
  columns: [
    { title: 'what', width: 22, left: true, text: (row) => row.what },
    { title: 'accuracy, %', width: 11, text: (row) => percent(row.accuracy) },
    { title: '±', width: 5, text: (row) => percent(row.deviation) },
    { title: 'images', width: 6, text: (row) => row.images ?? '' },
    { title: 'runs', width: 4, text: (row) => row.runs ?? '' },
    { title: 'seconds', width: 7, text: (row) => figure(row.seconds, 0) },
    { title: 'labels', width: 40, left: true, text: (row) => row.labels ?? '' },
  ],
});
const arms = values.methods.split(',');
// Without lists all labels count, and the seeds are the repetitions.
const repetitions = values.lists
  ? values.lists.flatMap((pattern) => expand(pattern)).map((list) => ({ name: list, flags: ['--labels-list', list] }))
  : values.seeds.split(',').map((seed) => ({ name: `seed ${seed}`, flags: ['--seed', seed] }));

const scores = new Map(arms.map((arm) => [arm, []]));
for (const { name, flags } of repetitions)
  for (const arm of arms) {
    const out = join(mkdtempSync(join(tmpdir(), 'gleaner-bench-')), 'run');
    const backbone = values.backbone ? ['--backbone', values.backbone] : [];
    const result = await train([values.data, '--method', arm, ...backbone, ...flags, '--out', out, ...positionals]);
    rmSync(out, { recursive: true, force: true });
    scores.get(arm).push(result.accuracy);
    report.row({
      what: arm,
      accuracy: round(result.accuracy),
      interval: result.interval,
      images: result.n,
      seconds: round(result.seconds),
      labels: name,
    });
  }

for (const [arm, list] of scores) report.row({ what: `${arm}, mean`, ...summary(list) });
if (arms.length > 1) {
  const [first, last] = [scores.get(arms[0]), scores.get(arms.at(-1))];
  const gains = last.map((score, i) => score - first[i]);
  report.row({ what: `${arms.at(-1)} - ${arms[0]}, paired`, ...summary(gains) });
}

function train(flags) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['dist/cli/main.js', 'train', ...flags, '--json', '--quiet'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    child.stdout.on('data', (chunk) => (text += chunk));
    child.on('close', (code) =>
      code === 0
        ? resolve(JSON.parse(text.trim().split('\n').at(-1)))
        : reject(new Error(`gleaner train ${flags.join(' ')} ended with exit code ${code}`)),
    );
  });
}

/** Brace lists, where no shell expanded them: `seed{0,1}` is two names. */
function expand(pattern) {
  const match = /^(.*)\{([^}]*)\}(.*)$/.exec(pattern);
  return match ? match[2].split(',').flatMap((part) => expand(`${match[1]}${part}${match[3]}`)) : [pattern];
}

function summary(list) {
  return { accuracy: round(mean(list)), deviation: round(deviation(list)), runs: list.length };
}
