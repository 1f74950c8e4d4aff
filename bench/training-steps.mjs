// Whole training steps (forward, backward, SGD with momentum) beside PyTorch eager, on the same cores.
// node bench/training-steps.mjs [--networks mobilenetv2,vit-tiny] [--threads 2] [--rounds 5] [--steps 3] [--tune]
//   [--peer-batches 4,8,16,32,64]
// Each side first finds its best batch size (and memory format); then both are timed in turns, and the
// medians over the rounds and their ratio are printed. The peer is run by the Python of
// GLEANER_BENCH_PYTHON (with torch, torchvision and timm); without it our figures stand alone.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { buildModel } from '../dist/models/registry.js';
import { blockSize } from '../dist/runtime/block-size.js';
import { Engine } from '../dist/runtime/engine.js';
import { Tuning } from '../dist/runtime/tuning.js';
import { compileStep } from '../dist/train/compile-step.js';
import { TrainingStep } from '../dist/train/training-step.js';

/** `target`: the ratio to PyTorch that is to be reached. */
const NETWORKS = {
  mobilenetv2: { model: 'mobilenetv2_100', side: 224, batchNorm: 'frozen', batches: [4, 8, 16, 32], target: 1.2 },
  'efficientnet-lite0': {
    model: 'efficientnet_lite0',
    side: 224,
    batchNorm: 'frozen',
    batches: [4, 8, 16],
    target: 1.2,
  },
  'resnet18-cifar-w64': {
    model: 'resnet18_3x3',
    width: 64,
    side: 32,
    batchNorm: 'batch',
    batches: [32, 64],
    target: 0.7,
  },
  'resnet18-cifar-w16': {
    model: 'resnet18_3x3',
    width: 16,
    side: 32,
    batchNorm: 'batch',
    batches: [64, 128],
    target: 0.6,
  },
  'vit-tiny': { model: 'vit_tiny_patch16_224', side: 224, batchNorm: 'as-is', batches: [4, 8, 16], target: 0.7 },
};
const { values } = parseArgs({
  options: {
    networks: { type: 'string', default: Object.keys(NETWORKS).join() },
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '5' },
    steps: { type: 'string', default: '3' },
    tune: { type: 'boolean', default: false },
    'peer-batches': { type: 'string', default: '4,8,16,32,64' },
  },
});
const [threads, rounds, steps] = [values.threads, values.rounds, values.steps].map(Number);
const python = process.env.GLEANER_BENCH_PYTHON;
const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
const best = (list, score) => list.reduce((a, b) => (score(b) > score(a) ? b : a));

if (!python) console.log('PyTorch skipped: GLEANER_BENCH_PYTHON names no Python.');
const engine = await Engine.start({ device: 'cpu', threads });
const block = await blockSize(engine);
const tuning = values.tune ? await Tuning.open(engine) : undefined;
console.log(`${threads} threads, blocks of ${block}${tuning ? ', tuned' : ''}; images/s`);

for (const name of values.networks.split(',')) {
  const network = NETWORKS[name];
  if (network === undefined) throw new RangeError(`There is no network "${name}"; there are ${Object.keys(NETWORKS)}.`);
  const ours = [];
  for (const batch of network.batches) {
    const step = await openStep(network, batch);
    ours.push({ batch, rate: await rate(step, network, batch) });
    await step.release();
  }
  const { batch } = best(ours, (entry) => entry.rate);
  const peers = python ? peerConfigurations(name) : [];
  const peer = peers.length > 0 ? best(peers, (entry) => entry.imagesPerSecond) : undefined;

  const step = await openStep(network, batch);
  const [own, theirs] = [[], []];
  for (let round = 0; round < rounds; round++) {
    own.push(await rate(step, network, batch));
    if (peer) theirs.push(runPeer(name, peer.batch, peer.format).imagesPerSecond);
  }
  await step.release();
  const line = `${name}: ${median(own).toFixed(1)} (batch ${batch})`;
  if (!peer) console.log(line);
  else {
    const ratio = median(own) / median(theirs);
    const against = `PyTorch ${median(theirs).toFixed(1)} (batch ${peer.batch}, ${peer.format})`;
    const verdict = ratio >= network.target ? 'reached' : 'not reached';
    console.log(`${line}, ${against}: ${ratio.toFixed(2)}x, ${network.target}x ${verdict}`);
  }
}
await engine.dispose();

async function openStep({ model, width, side, batchNorm }, batch) {
  const built = buildModel(model, { classes: 10, seed: 0, ...(width && { width }) });
  const compile = () =>
    compileStep({
      graph: built.graph,
      input: 'input',
      logits: 'logits',
      images: { kind: 'values', shape: [3, side, side] },
      labels: 'indices',
      loss: { name: 'cross-entropy' },
      parameters: built.parameters.map((parameter) => ({ name: parameter, group: 'all', decay: false })),
      microBatch: batch,
      batchNorm,
      optimizer: { name: 'sgd', momentum: 0.9 },
      target: block > 1 ? { kind: 'blocked', block, ...(tuning && { choose: tuning.choose }) } : { kind: 'plain' },
    });
  let compiled = compile();
  if (tuning) while ((await tuning.tune(engine)) > 0) compiled = compile();
  return TrainingStep.open(engine, compiled);
}

/** Images a second, the median of some steps after two to warm up. */
async function rate(step, { side }, batch) {
  const times = [];
  for (let i = -2; i < steps; i++) {
    const images = Float32Array.from({ length: batch * 3 * side * side }, (_, j) => Math.sin(j * 12.9898 + i));
    const labels = BigInt64Array.from({ length: batch }, (_, j) => BigInt(j % 10));
    const input = {
      batch: {
        images: { dtype: 'float32', shape: [batch, 3, side, side], data: images },
        labels: { dtype: 'int64', shape: [batch], data: labels },
      },
      step: i + 3,
      // Small enough that weights stay where they are: no overflow, no denormal gradients.
      rates: { all: 1e-6 },
    };
    const start = performance.now();
    await step.run(input);
    if (i >= 0) times.push(performance.now() - start);
  }
  return (1000 * batch) / median(times);
}

/** Every batch size and memory format, timed once. */
function peerConfigurations(name) {
  const batches = values['peer-batches'].split(',').map(Number);
  return batches.flatMap((batch) => ['contiguous', 'channels_last'].map((format) => runPeer(name, batch, format)));
}

function runPeer(name, batch, format) {
  const script = fileURLToPath(new URL('peers/training_steps.py', import.meta.url));
  const output = execFileSync(python, [script, name, String(batch), format, String(steps)], {
    encoding: 'utf8',
    env: { ...process.env, BENCH_THREADS: String(threads) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return JSON.parse(output.trim().split('\n').at(-1));
}
