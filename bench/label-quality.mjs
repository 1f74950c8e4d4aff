// How well wrong labels are found, and what treating them is worth, beside cleanlab on the same out-of-fold probabilities.
// node bench/label-quality.mjs --data DIR --backbone FILE [--seeds N] [--settings all,10] [--rates 0.1,0.2] [--most N] [--threads N] [--json]
// Labels of the train part are made wrong, uniformly or each class by its next one; `10` takes ten labels a class. Average
// precision is that of the rankings; accuracy that of a probe on the test part, by all labels, without the suspected ones, and with
// these as their probable classes. GLEANER_BENCH_PYTHON names a Python with cleanlab.
import { parseArgs } from 'node:util';
import { tensor } from '../dist/core/tensor.js';
import { randomStream, shuffled } from '../dist/core/random.js';
import { readDataset } from '../dist/datasets/read.js';
import { findLabelIssues } from '../dist/labelling/label-issues.js';
import { neighbourOpinion } from '../dist/labelling/neighbour-opinion.js';
import { backboneFeatures } from '../dist/recipes/probe/backbone-features.js';
import { rowsOf } from '../dist/recipes/probe/features.js';
import { fitLinearProbe, headLogits } from '../dist/recipes/probe/linear-probe.js';
import { outOfFoldProbabilities } from '../dist/recipes/probe/out-of-fold.js';
import { Engine } from '../dist/runtime/engine.js';
import { startPeer } from './support/peer.mjs';
import { figure, Report, round } from './support/report.mjs';
import { mean } from './support/statistics.mjs';

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    backbone: { type: 'string' },
    seeds: { type: 'string', default: '3' },
    settings: { type: 'string', default: 'all,10' },
    rates: { type: 'string', default: '0.1,0.2' },
    most: { type: 'string', default: '1000000' },
    threads: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
});
if (!values.data || !values.backbone) {
  console.error('bench/label-quality.mjs needs --data and --backbone.');
  process.exit(2);
}

const column = (title, key, digits = 3) => ({ title, width: 9, text: (row) => figure(row[key], digits) });
const report = new Report('label-quality', {
  json: values.json,
  columns: [
    { title: 'labels', width: 6, text: (row) => row.setting },
    { title: 'wrong', width: 13, left: true, text: (row) => `${100 * row.rate} % ${row.kind}` },
    column('ours', 'ours'),
    column('probe', 'probe'),
    column('cleanlab', 'self_confidence'),
    column('margin', 'normalized_margin'),
    column('found', 'recall', 2),
    column('of these', 'precision', 2),
    column('kept', 'kept'),
    column('dropped', 'dropped'),
    column('relabelled', 'relabelled'),
    column('true', 'truth'),
  ],
});

const engine = await Engine.start({ device: 'cpu', threads: Number(values.threads) });
const { samples: all, classes } = await readDataset(values.data);
const labelled = all.filter(({ label }) => label !== undefined);
const pool = shuffled(labelled.filter(({ split }) => split === 'train'), randomStream('label-quality')).slice(0, Number(values.most)); // prettier-ignore
const test = labelled.filter(({ split }) => split === 'test').slice(0, Number(values.most));
const features = await backboneFeatures(engine, values.backbone, [...pool, ...test], { maxPixels: 100 }, {});
const width = features.shape[1];
const testRows = tensor('float32', [test.length, width], features.data.subarray(pool.length * width));
const peer = startPeer('labels');

for (const setting of values.settings.split(','))
  for (const kind of ['uniform', 'pair'])
    for (const rate of values.rates.split(',').map(Number)) {
      const rows = [];
      for (let seed = 0; seed < Number(values.seeds); seed++) rows.push(await cell(setting, kind, rate, seed));
      const averaged = Object.fromEntries(
        Object.keys(rows[0]).map((key) => [key, round(mean(rows.map((row) => row[key])))]),
      );
      report.row({ setting, kind, rate, seeds: rows.length, ...averaged });
    }
peer?.stop();
await engine.dispose();

async function cell(setting, kind, rate, seed) {
  const stream = randomStream(seed, 'label-quality', setting, kind, rate);
  const places = chosenPlaces(setting, stream);
  const truth = places.map((at) => pool[at].label);
  const wrong = new Set(shuffled([...truth.keys()], stream).slice(0, Math.round(rate * truth.length)));
  const labels = truth.map((label, i) => {
    if (!wrong.has(i)) return label;
    const step = kind === 'pair' ? 1 : 1 + stream.integer(classes.length - 1);
    return (label + step) % classes.length;
  });
  const own = rowsOf(features, places);
  const samples = places.map((at, i) => ({ ...pool[at], label: labels[i] }));
  const duplicates = { groups: [] };
  const how = { folds: 5, repeats: 3, seed };
  const probabilities = await outOfFoldProbabilities(engine, own, samples, { classes, duplicates }, how);
  const neighbours = await neighbourOpinion(own.data, labels, classes.length);
  const issues = findLabelIssues({ classes, labels, probabilities, neighbours });
  const alone = findLabelIssues({ classes, labels, probabilities });
  const question = { labels, probabilities: labels.map((_, i) => [...probabilities.subarray(i * classes.length, (i + 1) * classes.length)]) }; // prettier-ignore
  const { scores, error } = peer === undefined ? { scores: {} } : await peer.ask(question);
  if (error !== undefined) throw new Error(error);
  const precisionOf = (order) => averagePrecision(order.map((i) => wrong.has(i)));
  const suspected = new Map(issues.ranking.filter((one) => one.suspected).map((one) => [one.index, one.probable]));
  const hits = [...suspected.keys()].filter((i) => wrong.has(i)).length;
  const keep = labels.map((_, i) => !suspected.has(i));
  return {
    ours: precisionOf(issues.ranking.map(({ index }) => index)),
    probe: precisionOf(alone.ranking.map(({ index }) => index)),
    ...Object.fromEntries(
      Object.entries(scores).map(([method, list]) => [
        method,
        precisionOf([...list.keys()].toSorted((a, b) => list[a] - list[b])),
      ]),
    ),
    recall: hits / wrong.size,
    precision: hits / Math.max(1, suspected.size),
    kept: await accuracy(own, labels, seed),
    dropped: await accuracy(rowsOf(own, [...keep.keys()].filter((i) => keep[i])), labels.filter((_, i) => keep[i]), seed), // prettier-ignore
    relabelled: await accuracy(own, labels.map((label, i) => suspected.get(i) ?? label), seed), // prettier-ignore
    truth: await accuracy(own, truth, seed),
  };
}

function chosenPlaces(setting, stream) {
  const order = shuffled([...pool.keys()], stream);
  if (setting === 'all') return order;
  return classes.flatMap((_, k) => order.filter((at) => pool[at].label === k).slice(0, Number(setting)));
}

/** Mean of the precision at each wrong label of a ranking (sum over ranks of precision times the step of recall). */
function averagePrecision(isWrong) {
  let [found, sum] = [0, 0];
  for (const [i, wrong] of isWrong.entries()) if (wrong) sum += ++found / (i + 1);
  return sum / found;
}

/** Of a probe on the test part. */
async function accuracy(rows, labels, seed) {
  const order = shuffled([...labels.keys()], randomStream(seed, 'folds'));
  const foldOf = labels.map(() => 0);
  for (const [at, i] of order.entries()) foldOf[i] = at % 5;
  const head = await fitLinearProbe(engine, rows, labels, classes.length, { foldOf });
  const logits = headLogits(testRows, head);
  let right = 0;
  for (const [i, { label }] of test.entries()) {
    const row = logits.subarray(i * classes.length, (i + 1) * classes.length);
    if (row.indexOf(Math.max(...row)) === label) right++;
  }
  return right / test.length;
}
