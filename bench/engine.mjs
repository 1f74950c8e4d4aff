// Whole training steps (forward, backward, SGD with momentum) beside PyTorch, eager and compiled, on the same cores.
// node bench/engine.mjs [--networks mobilenetv2,vit-tiny] [--modes frozen,batch] [--threads 2] [--rounds 5] [--steps 3]
//   [--tune] [--peer-batches 4,8,16,32,64] [--compile-batches 8,16] [--json]
// Each side first finds its best batch size (and memory format); then all are timed in turns, and the medians over
// the rounds and their ratios are printed. The peer is run by the Python of GLEANER_BENCH_PYTHON (with torch and
// timm); without it our figures stand alone.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { int64, tensor } from '../dist/core/tensor.js';
import { parsePreprocessing } from '../dist/models/preprocessing.js';
import { buildModel } from '../dist/models/registry.js';
import { writeModel } from '../dist/onnx/write.js';
import { blockSize } from '../dist/runtime/block-size.js';
import { Engine } from '../dist/runtime/engine.js';
import { Tuning } from '../dist/runtime/tuning.js';
import { compileStep } from '../dist/train/compile-step.js';
import { splitFrozen } from '../dist/train/frozen-split.js';
import { TrainingStep } from '../dist/train/training-step.js';

const MOBILENET = { network: 'mobilenetv2', model: 'mobilenetv2_100', side: 224, batches: [8, 16, 32] };
const PARTS = { 'last-third': /^(blocks\.[56]|conv_head|bn2|classifier)/, head: /^classifier/ };
/** What is measured, with the ratios to reach. */
const ROWS = [
  { ...MOBILENET, mode: 'frozen', eager: 1.7, compile: 1.2 },
  { ...MOBILENET, mode: 'batch', eager: 1.3, compile: 1 },
  {
    network: 'efficientnet-lite0',
    model: 'efficientnet_lite0',
    side: 224,
    batches: [4, 8, 16],
    mode: 'frozen',
    eager: 1.7,
    compile: 1.2,
  },
  {
    network: 'resnet18-cifar-w16',
    model: 'resnet18_3x3',
    width: 16,
    side: 32,
    batches: [64, 128],
    mode: 'batch',
    eager: 0.95,
    compile: 0.85,
  },
  {
    network: 'resnet18-cifar-w64',
    model: 'resnet18_3x3',
    width: 64,
    side: 32,
    batches: [32, 64],
    mode: 'batch',
    eager: 0.9,
    compile: 0.85,
  },
  {
    network: 'convnext-atto',
    model: 'convnext_atto',
    side: 224,
    batches: [4, 8, 16],
    mode: 'frozen',
    eager: 1,
    compile: 1,
  },
  {
    network: 'vit-tiny',
    model: 'vit_tiny_patch16_224',
    side: 224,
    batches: [4, 8, 16],
    mode: 'frozen',
    eager: 1,
    compile: 1,
  },
  // The frozen part was run once before: its results are cached, as they are without augmentation.
  { ...MOBILENET, mode: 'last-third', eager: 3 },
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
const numbers = (list) => list.split(',').filter(Boolean).map(Number);
const chosen = (list, name) => list === undefined || list.split(',').includes(name);
const rows = ROWS.filter(({ network, mode }) => chosen(values.networks, network) && chosen(values.modes, mode));
if (rows.length === 0) {
  console.error(
    `No such row. Networks: ${[...new Set(ROWS.map((row) => row.network))]}; modes: frozen, batch, last-third, head.`,
  );
  process.exit(2);
}
const say = (line) => (values.json ? console.error(line) : console.log(line));
const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
const best = (list) =>
  list.reduce((a, b) => (b !== undefined && (a === undefined || b.rate > a.rate) ? b : a), undefined);
const preprocessingOf = (side) =>
  parsePreprocessing({ inputSize: [side, side], mean: [128, 128, 128], std: [128, 128, 128] }, 'the benchmark');

const peer = startPeer(process.env.GLEANER_BENCH_PYTHON);
if (!peer) say('PyTorch skipped: GLEANER_BENCH_PYTHON names no Python.');
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
  const taken = { ours: [], eager: [], compile: [] };
  for (let round = 0; round < rounds; round++) {
    taken.ours.push(await rateOf(open));
    for (const [name, arm] of Object.entries(arms)) if (arm) taken[name].push((await ask(row, arm)).rate);
  }
  await open.step.release();
  report(row, own, arms, taken);
}
peer?.process.kill();
await engine.dispose();

function report({ network, mode, ...targets }, { batch }, arms, taken) {
  const [ours, eager, compile] = [taken.ours, taken.eager, taken.compile].map((list) =>
    list.length > 0 ? median(list) : null,
  );
  const [ratioEager, ratioCompile] = [eager, compile].map((theirs) => (theirs === null ? null : ours / theirs));
  const line = { bench: 'engine', model: network, mode, ours, eager, compile, ratioEager, ratioCompile };
  if (values.json) console.log(JSON.stringify({ ...line, batch, peers: arms }));
  const against = Object.entries({ eager: ratioEager, compile: ratioCompile }).map(([name, ratio]) => {
    if (ratio === null) return '';
    const { batch: size, format } = arms[name];
    const wanted =
      targets[name] === undefined ? '' : ` (${targets[name]} ${ratio >= targets[name] ? 'reached' : 'not reached'})`;
    return `, ${name} ${line[name].toFixed(1)} (batch ${size}, ${format}): ${ratio.toFixed(2)}x${wanted}`;
  });
  say(`${network} ${mode}: ${ours.toFixed(1)} (batch ${batch})${against.join('')}`);
}

async function openStep({ model, width, side, mode }, batch) {
  const built = buildModel(model, { classes: 10, seed: 0, ...(width && { width }) });
  const trained = built.parameters.filter((name) => PARTS[mode]?.test(name) ?? true);
  const whole = {
    graph: built.graph,
    input: 'input',
    logits: 'logits',
    images: { kind: 'pixels', preprocessing: preprocessingOf(side) },
    labels: 'indices',
    loss: { name: 'cross-entropy' },
    parameters: trained.map((name) => ({ name, group: 'all', decay: false })),
    microBatch: batch,
    batchNorm: mode === 'batch' ? 'batch' : 'frozen',
    optimizer: { name: 'sgd', momentum: 0.9 },
    target: block > 1 ? { kind: 'blocked', block, ...(tuning && { choose: tuning.choose }) } : { kind: 'plain' },
  };
  const split = PARTS[mode] && splitFrozen(whole);
  const compile = () => compileStep(split ? split.step : whole);
  let compiled = compile();
  if (tuning) while ((await tuning.tune(engine)) > 0) compiled = compile();
  const pixels = tensor(
    'uint8',
    [batch, side, side, 3],
    Uint8Array.from({ length: batch * side * side * 3 }, (_, i) => (i * 7919) % 256),
  );
  const images = split ? await cached(split.prefix, pixels) : pixels;
  const labels = int64(Array.from({ length: batch }, (_, i) => i % 10));
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
    // So small a rate that weights stay where they are: no overflow, no denormal gradients.
    await step.run({ batch, step: i + 3, rates: { all: 1e-6 } });
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

function startPeer(python) {
  if (!python) return undefined;
  const script = fileURLToPath(new URL('peers/engine.py', import.meta.url));
  const child = spawn(python, [script], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, BENCH_THREADS: String(threads) },
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    process: child,
    async ask(question) {
      child.stdin.write(`${JSON.stringify(question)}\n`);
      const { value, done } = await lines.next();
      if (done) throw new Error('PyTorch ended.');
      return JSON.parse(value);
    },
  };
}
