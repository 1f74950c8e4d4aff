// Whole training steps (forward, backward, SGD with momentum) beside PyTorch, eager and compiled, on the same cores.
// node bench/engine.mjs [--networks mobilenetv2,vit-tiny] [--modes frozen,batch] [--threads 2] [--rounds 5] [--steps 3]
//   [--tune] [--peer-batches 4,8,16,32,64] [--compile-batches 8,16] [--json]
// Each side first finds its best batch size (and memory format); then all are timed in turns, and the medians over
// the rounds and their ratios are printed. The peer is run by the Python of GLEANER_BENCH_PYTHON (with torch and
// timm); without it our figures stand alone.
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { writeModel } from '../dist/onnx/write.js';
import { blockSize } from '../dist/runtime/block-size.js';
import { Engine } from '../dist/runtime/engine.js';
import { Tuning } from '../dist/runtime/tuning.js';
import { compileStep } from '../dist/train/compile-step.js';
import { splitFrozen } from '../dist/train/frozen-split.js';
import { TrainingStep } from '../dist/train/training-step.js';
import { batchOf, NETWORKS, PARTS, RATES, stepOptions, targetOf } from './support/networks.mjs';
import { NO_PEER, startPeer } from './support/peer.mjs';
import { chosen, figure, interleaved, median, numbers, ratio, Report } from './support/report.mjs';

const MOBILENET = { network: 'mobilenetv2', batches: [8, 16, 32] };
/** What is measured, with the ratios to reach. */
const ROWS = [
  { ...MOBILENET, mode: 'frozen', eager: 1.7, compile: 1.2 },
  { ...MOBILENET, mode: 'batch', eager: 1.3, compile: 1 },
  { network: 'efficientnet-lite0', batches: [4, 8, 16], mode: 'frozen', eager: 1.7, compile: 1.2 },
  { network: 'resnet18-cifar-w16', batches: [64, 128], mode: 'batch', eager: 0.95, compile: 0.85 },
  { network: 'resnet18-cifar-w64', batches: [32, 64], mode: 'batch', eager: 0.9, compile: 0.85 },
  { network: 'convnext-atto', batches: [4, 8, 16], mode: 'frozen', eager: 1, compile: 1 },
  { network: 'vit-tiny', batches: [4, 8, 16], mode: 'frozen', eager: 1, compile: 1 },
  // The frozen part was run once before: its results are cached, as they are without augmentation.
  { ...MOBILENET, mode: 'last-third', batches: [16, 32, 64], eager: 3 },
  { ...MOBILENET, mode: 'head', batches: [16, 64, 256], eager: 50 },
];

const { values } = parseArgs({
  options: {
    networks: { type: 'string' },
    modes: { type: 'string' },
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '5' },
    steps: { type: 'string', default: '3' },
    tune: { type: 'boolean', default: false },
    'peer-batches': { type: 'string', default: '4,8,16,32,64' },
    'compile-batches': { type: 'string', default: '8,16' },
    json: { type: 'boolean', default: false },
  },
});
const [threads, rounds, steps] = [values.threads, values.rounds, values.steps].map(Number);
const rows = ROWS.filter(({ network, mode }) => chosen(values.networks, network) && chosen(values.modes, mode));
if (rows.length === 0) {
  console.error(
    `No such row. Networks: ${[...new Set(ROWS.map((row) => row.network))]}; modes: frozen, batch, last-third, head.`,
  );
  process.exit(2);
}
const peerText = (side) => (row) => {
  const arm = row.peers[side];
  return row[side] === null ? '-' : `${row[side].toFixed(1)} (${arm.batch}, ${arm.format})`;
};
const target = (side) => (row) => {
  const [value, wanted] = [row[`ratio${side}`], row.targets[side.toLowerCase()]];
  return value === null
    ? '-'
    : `${value.toFixed(2)}${wanted === undefined ? '' : ` ${value >= wanted ? '>=' : '<'} ${wanted}`}`;
};
const report = new Report('engine', {
  json: values.json,
  columns: [
    { title: 'network', width: 18, left: true, text: (row) => row.model },
    { title: 'mode', width: 10, left: true, text: (row) => row.mode },
    { title: 'images/s', width: 8, text: (row) => figure(row.ours) },
    { title: 'batch', width: 5, text: (row) => row.batch },
    { title: 'eager (batch, format)', width: 26, text: peerText('eager') },
    { title: 'ratio, target', width: 13, text: target('Eager') },
    { title: 'compiled (batch, format)', width: 26, text: peerText('compile') },
    { title: 'ratio, target', width: 13, text: target('Compile') },
  ],
});
const say = (line) => report.say(line);
const best = (list) =>
  list.reduce((a, b) => (b !== undefined && (a === undefined || b.rate > a.rate) ? b : a), undefined);

const peer = startPeer('engine', { threads });
if (!peer) say(NO_PEER);
const engine = await Engine.start({ device: 'cpu', threads });
const block = await blockSize(engine);
const tuning = values.tune ? await Tuning.open(engine) : undefined;
say(`${threads} threads, blocks of ${block}${tuning ? ', tuned' : ''}; images/s`);

for (const row of rows) {
  const sizes = [];
  for (const batch of row.batches) {
    const open = await openStep(row, batch);
    sizes.push({ batch, rate: await rateOf(open) });
    await open.step.release();
  }
  const own = best(sizes);
  const arms = { eager: best(await eagerRates(row)), compile: best(await compiledRates(row)) };
  const open = await openStep(row, own.batch);
  const taken = await interleaved(
    {
      ours: () => rateOf(open),
      ...Object.fromEntries(
        Object.entries(arms).flatMap(([name, arm]) => (arm ? [[name, async () => (await ask(row, arm))?.rate]] : [])),
      ),
    },
    rounds,
  );
  await open.step.release();
  const { ours, eager = null, compile = null } = taken;
  report.row({
    model: row.network,
    mode: row.mode,
    ours,
    eager,
    compile,
    ratioEager: ratio(ours, eager),
    ratioCompile: ratio(ours, compile),
    batch: own.batch,
    peers: arms,
    targets: { eager: row.eager, compile: row.compile },
  });
}
peer?.stop();
await engine.dispose();

async function openStep({ network, mode }, batch) {
  const whole = stepOptions(network, { mode, batch, target: targetOf(block, tuning?.choose) });
  const split = PARTS[mode] && splitFrozen(whole);
  const compile = () => compileStep(split ? split.step : whole);
  let compiled = compile();
  if (tuning) while ((await tuning.tune(engine)) > 0) compiled = compile();
  const { images: pixels, labels } = batchOf(batch, NETWORKS[network].side);
  const images = split ? await cached(split.prefix, pixels) : pixels;
  return { step: await TrainingStep.open(engine, compiled), batch: { images, labels } };
}

/** What the frozen part makes of pixels. */
async function cached(prefix, pixels) {
  const session = await engine.load(writeModel({ graph: prefix }));
  const { value } = await engine.run(session, { feeds: { pixels } });
  await session.release();
  return value;
}

/** Images a second, the median of some steps after some to warm up. */
async function rateOf({ step, batch }) {
  const times = [];
  await sleep(200);
  for (let i = -2; i < steps; i++) {
    const start = performance.now();
    await step.run({ batch, step: i + 3, rates: RATES });
    if (i >= 0) times.push(performance.now() - start);
  }
  return (1000 * step.batchSize) / median(times);
}

async function eagerRates(row) {
  const rates = [];
  for (const batch of numbers(values['peer-batches']))
    for (const format of ['contiguous', 'channels_last']) rates.push(await ask(row, { batch, format, compile: false }));
  return rates;
}

async function compiledRates(row) {
  const rates = [];
  for (const batch of numbers(values['compile-batches']))
    rates.push(await ask(row, { batch, format: 'channels_last', compile: true }));
  return rates;
}

/** The rate of one configuration of the peer; undefined without a peer, or where it does not work. */
async function ask({ network, mode }, { batch, format, compile }) {
  if (!peer) return undefined;
  const answer = await peer.ask({ network, mode, batch, format, compile, steps });
  if (answer.error !== undefined) {
    say(`PyTorch, ${network} ${mode}, batch ${batch}, ${format}${compile ? ', compiled' : ''}: ${answer.error}`);
    return undefined;
  }
  return { batch, format, compile, rate: answer.imagesPerSecond };
}
