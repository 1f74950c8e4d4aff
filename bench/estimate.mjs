// Do the plan's figures hold? Draws few labels again and again, chooses among probes on several backbones by the labelled images
// alone, estimates the winner's accuracy as the plan does, and compares it with the truth on all images that the draw left out.
// node bench/estimate.mjs --data DIR --backbones A.onnx,B.onnx [--runs 200] [--per-class 10 | --random 100] [--shuffled] [--json]
// A line at the end: coverage of the 95 % interval, its mean width over Wilson's, mean error. --shuffled: labels mean nothing.
import { parseArgs } from 'node:util';
import { CropCache } from '../dist/batches/crop-cache.js';
import { EvaluationCrops } from '../dist/batches/evaluation-crops.js';
import { ImagePool } from '../dist/batches/image-pool.js';
import { randomStream, shuffled } from '../dist/core/random.js';
import { tensor } from '../dist/core/tensor.js';
import { readDataset } from '../dist/datasets/read.js';
import { biasCorrectedAccuracy } from '../dist/evaluate/bias-corrected.js';
import { wilsonInterval } from '../dist/evaluate/interval.js';
import { softmaxRows } from '../dist/evaluate/predictions.js';
import { fitTemperature } from '../dist/evaluate/temperature.js';
import { estimatePrior } from '../dist/labelling/class-prior.js';
import { fitLinearProbe } from '../dist/recipes/probe/linear-probe.js';
import { openNetwork } from '../dist/recipes/networks/open-network.js';
import { PROBE_FOLDS } from '../dist/recipes/plan/open-plan.js';
import { weightsOf } from '../dist/recipes/plan/plan-estimate.js';
import { resolveTrainOptions } from '../dist/recipes/train-options.js';
import { Engine } from '../dist/runtime/engine.js';
import { figure, Report, round } from './support/report.mjs';
import { mean } from './support/statistics.mjs';

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    backbones: { type: 'string' },
    runs: { type: 'string', default: '200' },
    'per-class': { type: 'string' },
    random: { type: 'string' },
    shuffled: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
if (!values.data || !values.backbones) {
  console.error('bench/estimate.mjs needs --data and --backbones.');
  process.exit(2);
}

const report = new Report('estimate', {
  json: values.json,
  columns: [
    { title: 'what', width: 26, left: true, text: (row) => row.what },
    { title: 'runs', width: 5, text: (row) => row.runs },
    { title: 'covered, %', width: 10, text: (row) => figure(100 * row.coverage, 1) },
    { title: "width / Wilson's", width: 16, text: (row) => figure(row.width, 2) },
    { title: 'error, points', width: 13, text: (row) => figure(100 * row.error, 1) },
    { title: 'truth, %', width: 8, text: (row) => figure(100 * row.truth, 1) },
    { title: 'estimate, %', width: 11, text: (row) => figure(100 * row.estimate, 1) },
    { title: 'plain, %', width: 8, text: (row) => figure(100 * row.plain, 1) },
    { title: 'weighed, %', width: 10, text: (row) => figure(100 * row.weighed, 0) },
  ],
});

const engine = await Engine.start({ device: 'cpu', threads: 1 });
const dataset = await readDataset(values.data);
const samples = dataset.samples.filter(({ label }) => label !== undefined);
const classes = dataset.classes;
const backbones = [];
for (const file of values.backbones.split(',')) backbones.push(await featuresOf(file));
const drawn = values.random === undefined ? `${values['per-class'] ?? 10} a class` : `${values.random} at random`;
const runs = [];
for (let run = 0; run < Number(values.runs); run++) {
  runs.push(await once(run));
  if ((run + 1) % 20 === 0) console.error(`${run + 1} of ${values.runs}: ${JSON.stringify(summary())}`);
}
await engine[Symbol.asyncDispose]();
report.row({ what: `${values.shuffled ? 'shuffled, ' : ''}${drawn}`, ...summary() });

function summary() {
  const of = (what) => round(mean(runs.map(what)));
  return {
    runs: runs.length,
    coverage: of(({ interval: [low, high], truth }) => (low <= truth && truth <= high ? 1 : 0)),
    width: of(({ interval, wilson }) => (interval[1] - interval[0]) / (wilson[1] - wilson[0])),
    error: of(({ estimate, truth }) => estimate - truth),
    truth: of(({ truth }) => truth),
    estimate: of(({ estimate }) => estimate),
    plain: of(({ plain }) => plain),
    weighed: of(({ isWeighed }) => (isWeighed ? 1 : 0)),
  };
}

/** Features of all images, [n, D]. */
async function featuresOf(backbone) {
  const options = resolveTrainOptions({ data: values.data, backbone, method: 'probe' });
  const data = { classes, train: samples, validation: [], duplicates: { groups: [] } };
  const opened = await openNetwork(options, 'probe', data, {});
  const pool = await ImagePool.start(opened.preprocessing, { maxPixels: 1e8 });
  const crops = new EvaluationCrops(pool, new CropCache(opened.preprocessing));
  const onProgress = ({ done, total }) => done % 1024 === 0 && console.error(`${backbone}: ${done} of ${total}`);
  try {
    return await opened.features({ engine, pool, crops, record: () => {}, onProgress }, samples);
  } finally {
    await pool.dispose();
  }
}

async function once(run) {
  const stream = randomStream('estimate', run, drawn);
  const order = shuffled(
    samples.map((_, i) => i),
    stream,
  );
  const chosen = drawnFrom(order);
  const inside = new Set(chosen);
  const rest = order.filter((i) => !inside.has(i));
  const labelOf = (i) => samples[i].label;
  const own = chosen.map(labelOf);
  const labels = values.shuffled ? shuffled(own, stream) : own;
  const foldOf = foldsOf(labels, stream);
  const probes = [];
  for (const features of backbones) {
    const probe = await fitLinearProbe(engine, rows(features, chosen), labels, classes.length, { foldOf });
    const held = { classes, logits: probe.outOfFold, labels };
    probes.push({ features, probe, nll: fitTemperature(held).nllAfter, right: rightRows(probe.outOfFold, labels) });
  }
  const winner = probes.toSorted((a, b) => a.nll - b.nll)[0];
  const logits = logitsOf(winner.probe, rows(winner.features, rest));
  const truth = mean(rightRows(logits, rest.map(labelOf)).map(Number));
  const held = { probabilities: softmaxRows(winner.probe.outOfFold, classes.length), labels };
  const { prior } = estimatePrior(held, softmaxRows(logits, classes.length), classes);
  const weights = weightsOf(labels, prior);
  const { accuracy, interval } = biasCorrectedAccuracy(
    probes.map(({ right }) => right),
    weights,
  );
  const plain = mean(winner.right.map(Number));
  const wilson = wilsonInterval(Math.round(plain * labels.length), labels.length);
  return { truth, estimate: accuracy, interval, plain, wilson, isWeighed: weights !== undefined };
}

function drawnFrom(order) {
  if (values.random !== undefined) return order.slice(0, Number(values.random));
  const left = classes.map(() => Number(values['per-class'] ?? 10));
  return order.filter((i) => left[samples[i].label]-- > 0);
}

/** Dealt class by class. */
function foldsOf(labels, stream) {
  const order = shuffled(
    labels.map((_, i) => i),
    stream,
  ).toSorted((a, b) => labels[a] - labels[b]);
  const fold = [];
  for (const [at, i] of order.entries()) fold[i] = at % PROBE_FOLDS;
  return fold;
}

function rows(features, indices) {
  const width = features.shape[1];
  const data = new Float32Array(indices.length * width);
  for (const [at, i] of indices.entries()) data.set(features.data.subarray(i * width, (i + 1) * width), at * width);
  return tensor('float32', [indices.length, width], data);
}

function logitsOf({ weight, bias }, features) {
  const [n, width] = features.shape;
  const k = classes.length;
  const logits = new Float32Array(n * k);
  for (let i = 0; i < n; i++)
    for (let c = 0; c < k; c++) {
      let sum = bias.data[c];
      for (let f = 0; f < width; f++) sum += weight.data[c * width + f] * features.data[i * width + f];
      logits[i * k + c] = sum;
    }
  return logits;
}

function rightRows(logits, labels) {
  const k = classes.length;
  return labels.map((label, i) => {
    const row = logits.subarray(i * k, (i + 1) * k);
    return row.indexOf(Math.max(...row)) === label;
  });
}
