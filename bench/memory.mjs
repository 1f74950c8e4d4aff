// Memory of a training step beside PyTorch's at the same batch, each in a fresh process; and whether it grows.
// node bench/memory.mjs [--networks mobilenetv2] [--modes frozen] [--batches 8,32] [--steps 3] [--threads 2]
//   [--peer-formats contiguous,channels_last] [--json]
// node bench/memory.mjs --growth [--json]      1,000 steps of a small network; exit code 1 where it grew
// What is counted is the resident set's height (VmHWM) less what was resident before engine and model were loaded; our
// height includes the compiling of the step. The estimate is the one by which `gleaner train` makes passes smaller.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { NO_PEER, peerPython, startPeer } from './support/peer.mjs';
import { chosen, figure, numbers, ratio, Report, round } from './support/report.mjs';

/** `recompute`: activations kept of every so many blocks alone, the others computed again. */
const ROWS = [
  { network: 'mobilenetv2', mode: 'frozen' },
  { network: 'mobilenetv2', mode: 'batch' },
  { network: 'mobilenetv2', mode: 'batch', recompute: 2 },
  { network: 'resnet18-cifar-w64', mode: 'batch' },
  { network: 'resnet18-cifar-w64', mode: 'batch', recompute: 2 },
  { network: 'vit-tiny', mode: 'frozen' },
  { network: 'vit-tiny', mode: 'frozen', recompute: 2 },
  { network: 'convnext-atto', mode: 'frozen' },
];
const GROWTH = { network: 'digits', mode: 'batch', batch: 4, steps: 1000, at: [100, 1000] };
/** What the heaps of two threads may still wander after 100 steps. */
const ALLOWED_MIB = 24;

const { values } = parseArgs({
  options: {
    networks: { type: 'string' },
    modes: { type: 'string' },
    batches: { type: 'string', default: '8,32' },
    steps: { type: 'string', default: '3' },
    threads: { type: 'string', default: '2' },
    'peer-formats': { type: 'string', default: 'contiguous,channels_last' },
    growth: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const [threads, steps] = [values.threads, values.steps].map(Number);
const mib = (bytes) => (bytes === null || bytes === undefined ? null : bytes / 2 ** 20);
const report = new Report('memory', {
  json: values.json,
  columns: values.growth
    ? [
        { title: 'network', width: 18, left: true, text: (row) => row.model },
        { title: 'MiB after 100', width: 13, text: (row) => figure(row.after100) },
        { title: 'after 1,000', width: 11, text: (row) => figure(row.after1000) },
        { title: 'growth', width: 7, text: (row) => figure(row.growth) },
        { title: 'allowed', width: 7, text: (row) => figure(row.allowed, 0) },
      ]
    : [
        { title: 'network', width: 18, left: true, text: (row) => row.model },
        { title: 'mode', width: 6, left: true, text: (row) => row.mode },
        { title: 'batch', width: 5, text: (row) => row.batch },
        { title: 'recompute', width: 9, text: (row) => row.recompute ?? '-' },
        { title: 'MiB', width: 7, text: (row) => figure(row.ours, 0) },
        { title: 'before', width: 6, text: (row) => figure(row.before, 0) },
        { title: 'estimate', width: 8, text: (row) => figure(row.estimate, 0) },
        { title: 'of it', width: 6, text: (row) => figure(row.ofEstimate, 2) },
        { title: 'ms', width: 7, text: (row) => figure(row.ms, 0) },
        { title: 'PyTorch MiB', width: 11, text: (row) => figure(row.peer, 0) },
        { title: 'before', width: 6, text: (row) => figure(row.peerBefore, 0) },
        { title: 'ms', width: 7, text: (row) => figure(row.peerMs, 0) },
        { title: 'ours / its', width: 10, text: (row) => figure(row.ratio, 2) },
        { title: 'its format', width: 13, left: true, text: (row) => row.peerFormat },
      ],
});

if (!existsSync('/proc/self/status')) {
  report.say('Skipped: memory is read from /proc/self/status, which this system does not have.');
  process.exit(0);
}
if (values.growth) measureGrowth();
else await measureSteps();

async function measureSteps() {
  const rows = ROWS.filter(({ network, mode }) => chosen(values.networks, network) && chosen(values.modes, mode));
  if (rows.length === 0) {
    console.error(`No such row. Networks: ${[...new Set(ROWS.map(({ network }) => network))]}; modes: frozen, batch.`);
    process.exit(2);
  }
  if (peerPython() === undefined) report.say(NO_PEER);
  const peers = new Map();
  for (const row of rows)
    for (const batch of numbers(values.batches)) {
      const { network, mode, recompute = null } = row;
      const own = ask({ ...row, batch, steps, threads });
      const names = { model: network, mode, batch, recompute };
      // PyTorch recomputes nothing: the same figure stands beside rows that do.
      const key = `${network} ${mode} ${batch}`;
      if (!peers.has(key)) peers.set(key, await leastOfPeer({ network, mode, batch, steps }));
      const peer = peers.get(key);
      const [ours, before, estimate] = [own.peak - own.before, own.before, own.estimate].map(mib);
      const theirs = peer === undefined ? null : mib(peer.peak - peer.before);
      report.row({
        ...names,
        ours: round(ours),
        before: round(before),
        opened: round(mib(own.opened - own.before)),
        estimate: round(estimate),
        ofEstimate: round(ratio(ours, estimate)),
        ms: round(own.ms),
        peer: round(theirs),
        peerBefore: round(mib(peer?.before)),
        peerMs: round(peer?.ms),
        peerFormat: peer?.format ?? null,
        ratio: round(ratio(ours, theirs)),
      });
    }
}

function measureGrowth() {
  const { after } = ask({ ...GROWTH, threads });
  const [first, last] = [100, 1000].map((count) => mib(after[count]));
  const growth = last - first;
  const line = { after100: round(first), after1000: round(last), growth: round(growth), allowed: ALLOWED_MIB };
  report.row({ model: GROWTH.network, mode: 'growth', batch: GROWTH.batch, ...line });
  if (growth > ALLOWED_MIB) {
    report.say(`Memory grew by ${growth.toFixed(1)} MiB between steps 100 and 1,000; ${ALLOWED_MIB} are allowed.`);
    process.exit(1);
  }
}

/** A question to a fresh process of ours. */
function ask(question) {
  const child = fileURLToPath(new URL('support/memory-child.mjs', import.meta.url));
  const { status, stdout } = spawnSync(process.execPath, ['--expose-gc', child, JSON.stringify(question)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`The process of ${question.network} ended with exit code ${status}.`);
  return JSON.parse(stdout.trim().split('\n').at(-1));
}

/** The format that takes the least memory; undefined without a peer. */
async function leastOfPeer(question) {
  const answers = [];
  for (const format of values['peer-formats'].split(',')) {
    const peer = startPeer('memory', { threads });
    if (!peer) return undefined;
    const answer = await peer.ask({ ...question, format });
    peer.stop();
    if (answer.error === undefined) answers.push({ ...answer, format });
    else
      report.say(`PyTorch, ${question.network} ${question.mode}, batch ${question.batch}, ${format}: ${answer.error}`);
  }
  return answers.toSorted((a, b) => a.peak - a.before - (b.peak - b.before))[0];
}
