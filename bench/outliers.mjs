// How well images of an unknown class are told from those of the known ones: each class of a set is hidden in turn, on each
// list of labels. Scored on the test images; the other images of the train part are unlabelled, the hidden class among them.
// node bench/outliers.mjs --data FOLDER --backbone FILE --lists FOLDER [--per-class 10] [--seeds 0,1,2,3,4] [--work FOLDER] [--json]
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { tensor } from '../dist/core/tensor.js';
import { fitOutlierScorer, outlierScores, outlierThreshold } from '../dist/evaluate/outliers.js';
import { nearestNeighbours } from '../dist/labelling/nearest-neighbours.js';
import { fitLinearProbe } from '../dist/recipes/probe/linear-probe.js';
import { folds } from './support/folds.mjs';
import { Engine } from '../dist/runtime/engine.js';
import { embeddingsOf, rowsOf } from './support/embeddings.mjs';
import { figure, numbers, Report, round } from './support/report.mjs';
import { mean } from './support/statistics.mjs';

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    backbone: { type: 'string' },
    lists: { type: 'string' },
    'per-class': { type: 'string', default: '10' },
    seeds: { type: 'string', default: '0,1,2,3,4' },
    work: { type: 'string', default: join(tmpdir(), 'gleaner-bench-embeddings') },
    json: { type: 'boolean', default: false },
  },
});
for (const flag of ['data', 'backbone', 'lists'])
  if (values[flag] === undefined) throw new Error(`Expected --${flag}.`);

const ARMS = ['pool as background', 'labels as background', 'energy', 'largest probability', 'nearest labelled'];
/** Labelled images are held out in so many parts, to find the threshold. */
const FOLDS = 10;
const engine = await Engine.start({ device: 'cpu' });
const { classes, samples, embeddings, width } = await embeddingsOf(engine, values.data, values.backbone, values.work);
const take = (rows) => rowsOf(embeddings, width, rows);
const rowOf = new Map(samples.map(({ id }, row) => [id, row]));
const partOf = (name) => samples.flatMap(({ split }, row) => (split === name ? [row] : []));
const report = new Report('outliers', {
  json: values.json,
  columns: [
    { title: 'score', width: 22, left: true, text: ({ arm }) => arm },
    { title: 'AUROC', width: 7, text: ({ auroc }) => figure(auroc, 3) },
    { title: 'worst class', width: 12, text: ({ worst }) => figure(worst, 3) },
    { title: 'found at 5 % false alarms', width: 26, text: ({ recall }) => figure(100 * recall, 1, ' %') },
    { title: 'set aside: known', width: 17, text: ({ alarms }) => figure(alarms && 100 * alarms, 1, ' %') },
    { title: 'unknown', width: 8, text: ({ found }) => figure(found && 100 * found, 1, ' %') },
  ],
});

const seen = new Map(ARMS.map((arm) => [arm, []]));
for (const seed of numbers(values.seeds)) {
  const list = `${basename(values.data)}-${values['per-class']}-per-class-seed${seed}.txt`;
  const listed = readFileSync(join(values.lists, list), 'utf8').split('\n').filter(Boolean);
  const known = listed.map((id) => rowOf.get(id));
  const isKnown = new Set(known);
  const pool = take(partOf('train').filter((row) => !isKnown.has(row)));
  const test = partOf('test');
  for (const [hidden] of classes.entries()) {
    const own = known.filter((row) => samples[row].label !== hidden);
    // The probe has the other classes, without a gap.
    const labels = own.map((row) => samples[row].label - Number(samples[row].label > hidden));
    const isUnknown = test.map((row) => samples[row].label === hidden);
    const tested = { data: take(test), width };
    const foldOf = folds(labels, FOLDS);
    for (const arm of ['pool as background', 'labels as background']) {
      const background = arm.startsWith('pool') ? pool : undefined;
      const scores = outlierScores(fitOutlierScorer({ data: take(own), width }, labels, background), tested);
      const held = Array.from({ length: FOLDS }, (_, k) => k).flatMap((fold) => {
        const inside = own.filter((_, i) => foldOf[i] !== fold);
        const scorer = fitOutlierScorer(
          { data: take(inside), width },
          labels.filter((_, i) => foldOf[i] !== fold),
          background,
        );
        return [...outlierScores(scorer, { data: take(own.filter((_, i) => foldOf[i] === fold)), width })];
      });
      const threshold = outlierThreshold(held);
      const above = (wanted) =>
        mean([...scores].filter((_, i) => isUnknown[i] === wanted).map((score) => +(score > threshold)));
      seen.get(arm).push({ hidden, ...told(scores, isUnknown), alarms: above(false), found: above(true) });
    }
    const features = tensor('float32', [own.length, width], take(own));
    const { weight, bias } = await fitLinearProbe(engine, features, labels, classes.length - 1, { foldOf });
    const logits = test.map((row) =>
      Array.from(bias.data, (b, k) => {
        let sum = b;
        for (let f = 0; f < width; f++) sum += weight.data[k * width + f] * embeddings[row * width + f];
        return sum;
      }),
    );
    const energies = logits.map((row) => -logSumExp(row));
    seen.get('energy').push({ hidden, ...told(energies, isUnknown) });
    const surest = logits.map((row) => logSumExp(row) - Math.max(...row));
    seen.get('largest probability').push({ hidden, ...told(surest, isUnknown) });
    const near = await nearestTo(take(own), take(test));
    seen.get('nearest labelled').push({ hidden, ...told(near, isUnknown) });
  }
}
await engine.dispose();

for (const arm of ARMS) {
  const rows = seen.get(arm);
  const of = (name) => (rows[0][name] === undefined ? null : mean(rows.map((row) => row[name])));
  const byClass = classes.map((_, k) => mean(rows.filter(({ hidden }) => hidden === k).map(({ auroc }) => auroc)));
  report.row({
    arm,
    auroc: round(of('auroc')),
    worst: round(Math.min(...byClass)),
    byClass: Object.fromEntries(classes.map((name, k) => [name, round(byClass[k])])),
    recall: round(of('recall')),
    alarms: of('alarms') === null ? null : round(of('alarms')),
    found: of('found') === null ? null : round(of('found')),
    draws: rows.length,
  });
}

/** The chance that an unknown image scores higher than a known one, and the share of unknown ones above all but 5 % of the known. */
function told(scores, isUnknown) {
  const known = [...scores].filter((_, i) => !isUnknown[i]).toSorted((a, b) => a - b);
  const unknown = [...scores].filter((_, i) => isUnknown[i]);
  const below = (score) => known.reduce((sum, other) => sum + (other < score ? 1 : other === score ? 0.5 : 0), 0);
  const limit = known[Math.ceil(0.95 * known.length) - 1];
  return {
    auroc: mean(unknown.map((score) => below(score) / known.length)),
    recall: mean(unknown.map((score) => +(score > limit))),
  };
}

/** One less the cosine of the nearest of some rows, for each of others. */
async function nearestTo(rows, others) {
  const all = new Float32Array(rows.length + others.length);
  all.set(others);
  all.set(rows, others.length);
  const count = others.length / width;
  const { indices, similarities } = await nearestNeighbours(all, width, all.length / width - 1);
  const k = all.length / width - 1;
  return Array.from({ length: count }, (_, i) => {
    const at = Array.from({ length: k }, (_, j) => i * k + j).find((place) => indices[place] >= count);
    return 1 - similarities[at];
  });
}

function logSumExp(row) {
  const top = Math.max(...row);
  return top + Math.log(row.reduce((sum, z) => sum + Math.exp(z - top), 0));
}
