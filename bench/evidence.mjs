// Whether the stated chance of a machine label is true: of the labels whose mean chance is 95 %, how many are right, over many
// draws of labels. A probe on one backbone's embeddings labels the others; the second teacher is a probe that learnt from all of
// its labels too, as the student of a round does, and is too sure of itself.
// node bench/evidence.mjs --data FOLDER --backbone FILE [--per-class 10,50] [--draws 15] [--pool 3000] [--work FOLDER] [--json]
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { randomStream, shuffled } from '../dist/core/random.js';
import { tensor } from '../dist/core/tensor.js';
import { softmaxRows } from '../dist/evaluate/predictions.js';
import { fitLinearProbe } from '../dist/recipes/probe/linear-probe.js';
import { heldAnswers } from '../dist/recipes/self-training/held-answers.js';
import { machineLabels } from '../dist/recipes/self-training/machine-labels.js';
import { Engine } from '../dist/runtime/engine.js';
import { embeddingsOf, rowsOf } from './support/embeddings.mjs';
import { folds } from './support/folds.mjs';
import { figure, numbers, Report, round } from './support/report.mjs';
import { deviation, mean } from './support/statistics.mjs';

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    backbone: { type: 'string' },
    'per-class': { type: 'string', default: '10,50' },
    draws: { type: 'string', default: '15' },
    pool: { type: 'string', default: '3000' },
    right: { type: 'string', default: '0.95' },
    work: { type: 'string', default: join(tmpdir(), 'gleaner-bench-embeddings') },
    json: { type: 'boolean', default: false },
  },
});
for (const flag of ['data', 'backbone']) if (values[flag] === undefined) throw new Error(`Expected --${flag}.`);
/** Of a teacher and of its student: enough for few labels, as a run has them. */
const [TEACHER_FOLDS, STUDENT_FOLDS] = [5, 3];
const HOW = { labels: 'soft', threshold: { kind: 'expected-error', right: Number(values.right) } };

const engine = await Engine.start({ device: 'cpu' });
const { classes, samples, embeddings, width } = await embeddingsOf(engine, values.data, values.backbone, values.work);
const take = (rows) => rowsOf(embeddings, width, rows);
const labelOf = (row) => samples[row].label;
const percent = (value) => figure(value === null ? null : 100 * value, 1, ' %');
const report = new Report('evidence', {
  json: values.json,
  columns: [
    { title: 'labels a class', width: 14, text: ({ perClass }) => perClass },
    { title: 'teacher', width: 8, left: true, text: ({ teacher }) => teacher },
    { title: 'accuracy', width: 9, text: ({ accuracy }) => percent(accuracy) },
    { title: 'right of those used', width: 19, text: ({ right }) => percent(right) },
    { title: 'spread', width: 8, text: ({ spread }) => percent(spread) },
    { title: 'worst draw', width: 10, text: ({ worst }) => percent(worst) },
    { title: 'used', width: 8, text: ({ used }) => percent(used) },
    { title: 'mean chance less accuracy', width: 25, text: ({ bias }) => percent(bias) },
  ],
});

for (const perClass of numbers(values['per-class'])) {
  const seen = { first: [], second: [] };
  for (let draw = 0; draw < Number(values.draws); draw++) {
    const { known, pool } = drawn(perClass, draw);
    const labels = known.map(labelOf);
    const foldOf = folds(labels, TEACHER_FOLDS);
    const teacher = await probe(known, labels, { foldOf });
    const held = { probabilities: softmaxRows(teacher.outOfFold, classes.length), labels };
    const answer = answers(teacher, pool);
    const { first } = seen;
    const made = judged(first, answer, held, known, pool);
    // Its labels, all of them, and of each fold's teacher on the same images, teach the next ones.
    const strengths = [teacher.strength];
    const taught = (own, machine) => probe([...own, ...pool], [...own.map(labelOf), ...machine], { strengths });
    const student = await taught(
      known,
      made.map(({ label }) => label),
    );
    const out = new Float32Array(known.length * classes.length);
    const studentFolds = folds(labels, STUDENT_FOLDS);
    for (let fold = 0; fold < STUDENT_FOLDS; fold++) {
      const inside = known.filter((_, i) => studentFolds[i] !== fold);
      const own = await probe(inside, inside.map(labelOf), { strengths });
      const next = await taught(inside, largest(answers(own, pool)));
      for (const [i, row] of known.entries())
        if (studentFolds[i] === fold) out.set(answers(next, [row]), i * classes.length);
    }
    judged(seen.second, answers(student, pool), { probabilities: out, labels }, known, pool);
  }
  for (const [teacher, rows] of Object.entries(seen)) {
    const of = (name) => rows.map((row) => row[name]).filter((value) => value !== undefined);
    report.row({
      data: basename(values.data),
      backbone: basename(values.backbone),
      perClass,
      teacher,
      accuracy: round(mean(of('accuracy'))),
      right: round(mean(of('right'))),
      spread: round(deviation(of('right'))),
      worst: round(Math.min(...of('right'))),
      used: round(mean(of('used'))),
      bias: round(mean(of('bias'))),
      draws: rows.length,
      empty: rows.length - of('right').length,
    });
  }
}
await engine.dispose();

/** Labelled images, so many of each class, and others of which nobody knows the class. */
function drawn(perClass, draw) {
  const order = shuffled([...samples.keys()], randomStream('evidence', basename(values.data), perClass, draw));
  const counts = classes.map(() => 0);
  const isKnown = new Map(order.map((row) => [row, counts[labelOf(row)]++ < perClass]));
  const known = order.filter((row) => isKnown.get(row));
  return { known, pool: order.filter((row) => !isKnown.get(row)).slice(0, Number(values.pool)) };
}

function probe(rows, labels, options) {
  return fitLinearProbe(engine, tensor('float32', [rows.length, width], take(rows)), labels, classes.length, options);
}

/** Probabilities of rows by a linear head. */
function answers({ weight, bias }, rows) {
  const size = classes.length;
  const logits = new Float32Array(rows.length * size);
  for (const [i, row] of rows.entries())
    for (let k = 0; k < size; k++) {
      let sum = bias.data[k];
      for (let f = 0; f < width; f++) sum += weight.data[k * width + f] * embeddings[row * width + f];
      logits[i * size + k] = sum;
    }
  return softmaxRows(logits, size);
}

function largest(probabilities) {
  return Array.from({ length: probabilities.length / classes.length }, (_, i) => {
    const row = probabilities.subarray(i * classes.length, (i + 1) * classes.length);
    return row.indexOf(Math.max(...row));
  });
}

/** Labels as a run would give them, and what is true of them. */
function judged(rows, probabilities, held, known, pool) {
  const agreement = new Float32Array(pool.length).fill(1);
  const named = known.map((row) => samples[row]);
  const said = { probabilities: held.probabilities, agreement: new Float32Array(known.length).fill(1) };
  const outOfFold = heldAnswers(classes, named, said, 'folds');
  const { labels, summary, warning } = machineLabels({ probabilities, agreement }, classes, outOfFold, HOW);
  const isRight = labels.map(({ label }, i) => label === labelOf(pool[i]));
  const accuracy = mean(isRight.map(Number));
  const used = labels.flatMap((label, i) => (label.used ? [Number(isRight[i])] : []));
  rows.push({
    accuracy,
    bias: summary.meanChance - accuracy,
    used: warning === undefined ? used.length / pool.length : 0,
    // Where no set is as sure as that, the surest of each class are used: nothing is claimed of these.
    ...(warning === undefined && { right: mean(used) }),
  });
  return labels;
}
