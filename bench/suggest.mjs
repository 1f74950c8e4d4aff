// What suggested labels bring beside random ones, and whether the predicted gain holds.
// node bench/suggest.mjs --data DIR --backbone FILE [--seeds N] [--rounds 5] [--labels 50] [--truth 1700] [--most N] [--svg FILE] [--threads N] [--json]
// All parts are pooled; `--truth` images are set aside and scored on, the rest is what labels are bought from. Both arms begin with the
// same random labels and fit the same probe. `holds` is the share of steps whose gain lies in the 80 % interval that was predicted.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { randomStream, shuffled } from '../dist/core/random.js';
import { readDataset } from '../dist/datasets/read.js';
import { backboneFeatures } from '../dist/recipes/probe/backbone-features.js';
import { rowsOf } from '../dist/recipes/probe/features.js';
import { measuredCurve } from '../dist/recipes/suggestions/learning-curve.js';
import { headLogits } from '../dist/recipes/probe/linear-probe.js';
import { rankImages, reduced } from '../dist/recipes/suggestions/suggest.js';
import { Engine } from '../dist/runtime/engine.js';
import { plot } from './support/plot.mjs';
import { figure, Report, round } from './support/report.mjs';
import { deviation, mean } from './support/statistics.mjs';

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    backbone: { type: 'string' },
    seeds: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '5' },
    labels: { type: 'string', default: '50' },
    truth: { type: 'string', default: '1700' },
    most: { type: 'string', default: '1000000' },
    svg: { type: 'string' },
    threads: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
});
if (!values.data || !values.backbone) {
  console.error('bench/suggest.mjs needs --data and --backbone.');
  process.exit(2);
}
const [seeds, rounds, step] = [values.seeds, values.rounds, values.labels].map(Number);

const percent = (value) => figure(value === undefined || value === null ? value : 100 * value, 1);
const report = new Report('suggest', {
  json: values.json,
  columns: [
    { title: 'arm', width: 8, left: true, text: (row) => row.arm },
    { title: 'seed', width: 4, text: (row) => row.seed ?? '' },
    { title: 'labels', width: 6, text: (row) => row.labels ?? '' },
    { title: 'accuracy', width: 8, text: (row) => percent(row.accuracy) },
    { title: '±', width: 5, text: (row) => percent(row.deviation) },
    { title: 'gain', width: 5, text: (row) => percent(row.gain) },
    { title: 'predicted', width: 9, text: (row) => percent(row.predicted) },
    { title: 'low', width: 5, text: (row) => percent(row.interval80?.[0]) },
    { title: 'high', width: 5, text: (row) => percent(row.interval80?.[1]) },
    { title: 'holds', width: 6, text: (row) => row.holds ?? '' },
  ],
});

const engine = await Engine.start({ device: 'cpu', threads: Number(values.threads) });
const { samples: all, classes } = await readDataset(values.data);
const images = shuffled(all.filter(({ label }) => label !== undefined), randomStream('suggest')).slice(0, Number(values.most)); // prettier-ignore
const features = await backboneFeatures(engine, values.backbone, images, { maxPixels: 100 }, {});
const embeddings = reduced(features, 0);
const width = embeddings.length / images.length;
const duplicates = { groups: [] };

const curves = { suggest: [], random: [] };
const steps = { suggest: [], random: [] };
for (let seed = 0; seed < seeds; seed++) {
  const order = shuffled([...images.keys()], randomStream(seed, 'suggest', 'parts'));
  const [truth, pool] = [order.slice(0, Number(values.truth)), order.slice(Number(values.truth))];
  for (const arm of Object.keys(curves)) await course(arm, seed, pool, truth);
}
for (const [arm, own] of Object.entries(curves)) {
  for (let at = 0; at <= rounds; at++) {
    const scores = own.map((curve) => curve[at]);
    report.row({ arm, labels: (at + 1) * step, accuracy: round(mean(scores)), deviation: round(deviation(scores)) });
  }
  const hits = steps[arm].filter((one) => one.holds).length;
  report.row({
    arm: `${arm}, all`,
    accuracy: round(mean(own.flat())),
    gain: round(mean(steps[arm].map((one) => one.gain))),
    predicted: round(mean(steps[arm].map((one) => one.predicted))),
    holds: `${hits}/${steps[arm].length}`,
  });
}
if (values.svg)
  writeFileSync(
    values.svg,
    plot({
      title: 'Accuracy by labels: suggested and random',
      xLabel: 'labels',
      series: Object.entries(curves).map(([name, own]) => ({
        name,
        points: own[0].map((_, at) => [
          (at + 1) * step,
          mean(own.map((curve) => curve[at])),
          deviation(own.map((curve) => curve[at])) ?? 0,
        ]),
      })),
    }),
  );
await engine.dispose();

/** Labels bought round by round. */
async function course(arm, seed, pool, truth) {
  let labelled = pool.slice(0, step);
  const curve = [];
  let predicted;
  for (let at = 0; at <= rounds; at++) {
    const known = new Set(labelled);
    const open = pool.filter((i) => !known.has(i));
    const rows = [...labelled, ...open];
    const train = labelled.map((i) => images[i]);
    const data = { train, classes, duplicates };
    const asked = {
      embeddings: Float64Array.from(rows.flatMap((i) => [...embeddings.subarray(i * width, (i + 1) * width)])),
      count: at < rounds ? step : 1,
      seed,
    };
    const { picked, head } = await rankImages(engine, rowsOf(features, rows), data, asked);
    const accuracy = scoreOf(head, truth);
    if (predicted !== undefined) {
      const gain = accuracy - curve.at(-1);
      const holds = gain >= predicted.interval80[0] && gain <= predicted.interval80[1];
      steps[arm].push({ gain, predicted: predicted.gain, holds });
      report.row({
        arm,
        seed,
        labels: labelled.length,
        accuracy: round(accuracy),
        gain: round(gain),
        predicted: round(predicted.gain),
        interval80: predicted.interval80.map(round),
        holds: holds ? 'yes' : 'no',
      });
    }
    curve.push(accuracy);
    if (at === rounds) break;
    const own = rowsOf(features, labelled);
    predicted = await measuredCurve(engine, own, data, { strength: head.strength, ahead: step, seed });
    const next = arm === 'random' ? open.slice(0, step) : picked.map(({ index }) => rows[index]);
    labelled = [...labelled, ...next];
  }
  curves[arm].push(curve);
}

function scoreOf(head, truth) {
  const logits = headLogits(rowsOf(features, truth), head);
  const right = truth.filter((i, at) => {
    const row = logits.subarray(at * classes.length, (at + 1) * classes.length);
    return row.indexOf(Math.max(...row)) === images[i].label;
  });
  return right.length / truth.length;
}
