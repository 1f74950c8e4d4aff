// Accuracy with few labels by the command a user runs: `gleaner train` over label lists, several seeds.
// node bench/clothing.mjs --data DIR --lists 'DIR/clothing-10-per-class-seed{0,1,2,3,4}.txt' --backbone FILE [--methods probe,finetune] [-- further flags of train]
// Prints a line a run, then mean and standard deviation by method, and the paired difference of the last method to the first.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    data: { type: 'string' },
    lists: { type: 'string', multiple: true },
    backbone: { type: 'string' },
    methods: { type: 'string', default: 'probe,finetune' },
    seeds: { type: 'string', default: '0' },
  },
});
if (!values.data) {
  console.error('bench/clothing.mjs needs --data (and usually --lists and --backbone).');
  process.exit(2);
}

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
    console.log(
      `${arm}  ${name}  ${(100 * result.accuracy).toFixed(1)} % of ${result.n}  ${result.seconds.toFixed(0)} s`,
    );
  }

for (const [arm, list] of scores) console.log(`${arm}: ${summary(list)}`);
if (arms.length > 1) {
  const [first, last] = [scores.get(arms[0]), scores.get(arms.at(-1))];
  console.log(`${arms.at(-1)} - ${arms[0]}, paired: ${summary(last.map((score, i) => score - first[i]))}`);
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
  const mean = list.reduce((sum, x) => sum + x, 0) / list.length;
  const deviation = Math.sqrt(list.reduce((sum, x) => sum + (x - mean) ** 2, 0) / Math.max(1, list.length - 1));
  return `${(100 * mean).toFixed(1)} ± ${(100 * deviation).toFixed(1)} % (${list.length} runs)`;
}
