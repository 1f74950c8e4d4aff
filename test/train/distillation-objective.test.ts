import { describe, expect, it } from 'vitest';
import { gradient } from '../../src/autodiff/gradient.ts';
import { randomStream } from '../../src/core/random.ts';
import { float32, float32Scalar, toNumbers, type Tensor } from '../../src/core/tensor.ts';
import { lower } from '../../src/lowering/lower.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { TEACHER, type DistillationLoss } from '../../src/train/distillation-objective.ts';
import { objectiveOf } from '../../src/train/step-loss.ts';
import { run } from '../lowering/engine.ts';
import { expectClose } from '../losses/expect-close.ts';

/** What the student's average says. */
const AVERAGED = 'averaged';

type Rows = readonly (readonly number[])[];

const stream = randomStream('distillation-objective');
const rows = (n: number, width: number): number[][] =>
  Array.from({ length: n }, () => Array.from({ length: width }, () => 2 * stream.normal()));
const STUDENT = rows(6, 4);
const TAUGHT = rows(6, 4);
/** The second and the fifth image have no label, the last is a mixture of one that has and one that has not. */
const LABELS: Rows = [
  [1, 0, 0, 0],
  [0, 0, 0, 0],
  [0, 0, 1, 0],
  [0, 1, 0, 0],
  [0, 0, 0, 0],
  [0, 0, 0, 0.3],
];
const UNLABELLED: Rows = LABELS.map(() => [0, 0, 0, 0]);
const KD: DistillationLoss = {
  name: 'distillation',
  answers: 'kd',
  temperature: 4,
  alpha: 0.9,
  hard: false,
  taught: { width: 4 },
};

const softmax = (logits: readonly number[], temperature = 1): number[] => {
  const exponentials = logits.map((z) => Math.exp(z / temperature));
  const sum = exponentials.reduce((a, b) => a + b);
  return exponentials.map((e) => e / sum);
};
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b) / values.length;
/** T² sum over k of p_k ln(p_k / q_k), a sample. */
const divergences = (teacher: Rows, student: Rows, temperature: number): number[] =>
  teacher.map((z, i) => {
    const [p, q] = [softmax(z, temperature), softmax(student[i]!, temperature)];
    return temperature ** 2 * p.reduce((sum, x, k) => sum + x * Math.log(x / q[k]!), 0);
  });
const crossEntropies = (labels: Rows, student: Rows): number[] =>
  labels.map((label, i) => -label.reduce((sum, t, k) => sum + t * Math.log(softmax(student[i]!)[k]!), 0));

describe('the objective of distillation', () => {
  it('is the paper’s: alpha T² KL, summed over classes, mean over the batch, and cross-entropy of what has labels', async () => {
    const { loss } = await compute(KD, LABELS);
    const expected = 0.9 * mean(divergences(TAUGHT, STUDENT, 4)) + 0.1 * mean(crossEntropies(LABELS, STUDENT));
    expectClose(loss, [expected], 1e-5);
  });

  it('keeps T² where labels count for nothing, and then takes no notice of them', async () => {
    const alone = await compute({ ...KD, alpha: 1 }, LABELS);
    expectClose(alone.loss, [mean(divergences(TAUGHT, STUDENT, 4))], 1e-5);
    expect(await compute({ ...KD, alpha: 1 }, UNLABELLED)).toEqual(alone);
  });

  it('is cross-entropy where the teacher counts for nothing, and reads no teacher', async () => {
    const { loss } = await compute({ ...KD, alpha: 0 }, LABELS);
    expectClose(loss, [mean(crossEntropies(LABELS, STUDENT))], 1e-5);
    expect(objectiveOf({ ...KD, alpha: 0 }).targets.size).toBe(0);
  });

  it('smooths the labels there are, by their share', async () => {
    const { loss } = await compute({ ...KD, alpha: 0, smoothing: 0.2 }, LABELS);
    const smooth = LABELS.map((row) => {
      const share = row.reduce((a, b) => a + b);
      return row.map((t) => 0.8 * t + (0.2 / 4) * share);
    });
    expectClose(loss, [mean(crossEntropies(smooth, STUDENT))], 1e-5);
  });

  it('takes the teacher’s class as the label where it is hard', async () => {
    const { loss } = await compute({ ...KD, hard: true }, UNLABELLED);
    const hard = TAUGHT.map((z) => z.map((x) => (x === Math.max(...z) ? 1 : 0)));
    expectClose(loss, [0.9 * mean(crossEntropies(hard, STUDENT))], 1e-5);
  });

  it('compares chosen classes alone, in the teacher’s order', async () => {
    const teacher = rows(6, 3);
    const { loss } = await compute({ ...KD, alpha: 1, taught: { width: 3, classes: [2, 0, 3] } }, LABELS, { teacher });
    const chosen = STUDENT.map((z) => [z[2]!, z[0]!, z[3]!]);
    expectClose(loss, [mean(divergences(teacher, chosen, 4))], 1e-5);
  });

  it('compares a second head as wide as the teacher’s answer, beside labels on the student’s own', async () => {
    const [teacher, second] = [rows(6, 7), rows(6, 7)];
    const options = { ...KD, taught: { width: 7, head: 'second' } };
    const { loss } = await compute(options, LABELS, { teacher, outputs: { second } });
    const expected = 0.9 * mean(divergences(teacher, second, 4)) + 0.1 * mean(crossEntropies(LABELS, STUDENT));
    expectClose(loss, [expected], 1e-5);
  });

  it('adds what features differ by, and needs no answers then', async () => {
    const [student, teacher] = [rows(6, 5), rows(6, 5)];
    const features = { loss: 'hint', weight: 3, output: 'projected', shape: [5] } as const;
    const given = { features: teacher, outputs: { projected: student } };
    const squares = mean(student.map((row, i) => mean(row.map((x, k) => (x - teacher[i]![k]!) ** 2))));
    const labels = mean(crossEntropies(LABELS, STUDENT));
    const alone = await compute({ ...KD, answers: 'none', alpha: 0, features }, LABELS, given);
    expectClose(alone.loss, [labels + 3 * squares], 1e-5);
    const beside = await compute({ ...KD, features }, LABELS, given);
    const expected = 0.9 * mean(divergences(TAUGHT, STUDENT, 4)) + 0.1 * labels + 3 * squares;
    expectClose(beside.loss, [expected], 1e-5);
  });

  it.each(['kd', 'dkd', 'dist'] as const)(
    'takes the average of the student for the teacher, by %s',
    async (answers) => {
      const own = { ...KD, answers, taught: { width: 4, average: true }, halfLife: 10 };
      const { targets, averaged, state } = objectiveOf(own);
      expect([targets.size, averaged, [...state.keys()]]).toEqual([0, 'all', ['samples_seen']]);
      expect(await compute(own, LABELS)).toEqual(await compute({ ...KD, answers }, LABELS));
      expect(objectiveOf({ ...own, alpha: 0 }).averaged).toBeUndefined();
      const { halfLife: _, ...timeless } = own;
      expect(() => stepGraph(timeless, LABELS)).toThrow('half-life');
    },
  );

  it.each(['dkd', 'dist'] as const)('puts %s in the place of the divergence, times alpha', async (answers) => {
    const whole = await compute({ ...KD, answers, alpha: 1 }, LABELS);
    const half = await compute({ ...KD, answers, alpha: 0.5 }, LABELS);
    const labels = mean(crossEntropies(LABELS, STUDENT));
    expectClose(half.loss, [0.5 * whole.loss[0]! + 0.5 * labels], 1e-5);
    expect(whole.loss[0]).toBeGreaterThan(0);
  });

  it('decouples at the true class where an image has one, else at the teacher’s', async () => {
    const options = { ...KD, answers: 'dkd', alpha: 1 } as const;
    const byTeacher = TAUGHT.map((z) => z.map((x) => (x === Math.max(...z) ? 1 : 0)));
    const unlabelled = await compute(options, UNLABELLED);
    expect(unlabelled.loss).toEqual((await compute(options, byTeacher)).loss);
    const otherwise = byTeacher.map((row) => [...row.slice(1), row[0]!]);
    expect((await compute(options, otherwise)).loss[0]).not.toBeCloseTo(unlabelled.loss[0]!, 3);
  });

  it('lets a step of several passes be that of one', async () => {
    const whole = await compute(KD, LABELS);
    const half = async (from: number): Promise<number> =>
      (await compute(KD, LABELS.slice(from, from + 3), { from, of: 6 })).loss[0]!;
    expectClose(whole.loss, [(await half(0)) + (await half(3))], 1e-5);
  });

  it('has the gradient of the formula', async () => {
    const { gradient: found } = await compute({ ...KD, alpha: 1 }, LABELS);
    // d/dz T² KL(p^T || q^T) = T (q^T - p^T), over the batch.
    const expected = STUDENT.flatMap((z, i) => {
      const [p, q] = [softmax(TAUGHT[i]!, 4), softmax(z, 4)];
      return q.map((x, k) => (4 * (x - p[k]!)) / 6);
    });
    expectClose(found, expected, 1e-5);
  });

  it.each([
    [{ alpha: 1.2 }, 'alpha must be in 0..1'],
    [{ alpha: Number.NaN }, 'alpha must be in 0..1'],
    [{ temperature: 0 }, 'temperature must be finite and over 0'],
    [{ answers: 'dist', hard: true }, 'Hard answers go with "kd"'],
    [{ answers: 'none' }, 'features of the teacher must be compared'],
    [{ taught: { width: 4, head: 'second', classes: [0] } }, 'second head'],
    [{ taught: { width: 4, average: true, head: 'second' }, halfLife: 1 }, 'one head'],
    [{ features: { loss: 'hint', weight: 0, output: 'x', shape: [1] } }, 'weight of features'],
  ] as [Partial<DistillationLoss>, string][])('refuses %j', (changes, message) => {
    expect(() => objectiveOf({ ...KD, ...changes })).toThrow(message);
  });
});

interface Given {
  readonly teacher?: Rows;
  readonly features?: Rows;
  readonly outputs?: Readonly<Record<string, Rows>>;
  /** The first of the rows taken, of a step of `of`. */
  readonly from?: number;
  readonly of?: number;
}

function stepGraph(options: DistillationLoss, labels: Rows, { teacher = TAUGHT, outputs = {}, features }: Given = {}) {
  const n = labels.length;
  const objective = objectiveOf(options);
  const b = new GraphBuilder('step');
  const input = (name: string, width: number): string => b.input(name, 'float32', [n, width]);
  const targets = new Map(
    [...objective.targets.keys()].map((name) => [
      name,
      input(name, (name === TEACHER.logits ? teacher : features!)[0]!.length),
    ]),
  );
  const { loss } = objective.add(b, {
    logits: input('logits', 4),
    labels: input('labels', 4),
    scale: b.input('scale', 'float32', []),
    outputs: new Map(objective.outputs.map((name) => [name, input(name, outputs[name]![0]!.length)])),
    targets,
    ...(objective.averaged && { averaged: input(AVERAGED, 4) }),
    state: new Map(),
  });
  b.output(loss, 'loss');
  return { graph: b.build(), objective };
}

async function compute(
  options: DistillationLoss,
  labels: Rows,
  given: Given = {},
): Promise<{ loss: number[]; gradient: number[] }> {
  const { teacher = TAUGHT, outputs = {}, features, from = 0, of } = given;
  const n = labels.length;
  const { graph, objective } = stepGraph(options, labels, given);
  const table = (values: Rows): Tensor => float32(values.flat(), [values.length, values[0]!.length]);
  const part = (values: Rows): Tensor => table(values.slice(from, from + n));
  const { graph: differentiated, gradients } = gradient(graph, 'loss', ['logits']);
  const whole = table(of === undefined ? labels : LABELS);
  const lowered = lower(differentiated, { kind: 'plain' }, { parameters: [], gradients });
  const results = await run(lowered.graph, {
    logits: part(STUDENT),
    labels: table(labels),
    scale: float32Scalar(1 / objective.divisor(whole, 4, undefined)),
    ...(objective.averaged && { [AVERAGED]: part(teacher) }),
    ...(objective.targets.has(TEACHER.logits) && { [TEACHER.logits]: part(teacher) }),
    ...(objective.targets.has(TEACHER.features) && { [TEACHER.features]: part(features!) }),
    ...Object.fromEntries(objective.outputs.map((name) => [name, part(outputs[name]!)])),
  });
  return { loss: toNumbers(results['loss']!), gradient: toNumbers(results[gradients.get('logits')!]!) };
}
