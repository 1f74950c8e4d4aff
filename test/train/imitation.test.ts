import { describe, expect, it } from 'vitest';
import { gradient } from '../../src/autodiff/gradient.ts';
import { randomStream } from '../../src/core/random.ts';
import { float32, float32Scalar, toNumbers } from '../../src/core/tensor.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { TEACHER } from '../../src/train/distillation-objective.ts';
import { imitation } from '../../src/train/imitation.ts';
import { evaluate } from '../reference/interpreter.ts';

const [count, width] = [5, 4];
const vectors = (name: string): number[][] => {
  const stream = randomStream('imitation', name);
  return Array.from({ length: count }, () => Array.from({ length: width }, () => stream.normal()));
};

describe('the objective of imitation', () => {
  const [student, teacher] = [vectors('student'), vectors('teacher')];
  const objective = imitation({ name: 'imitation', width });
  const b = new GraphBuilder('objective');
  b.input('student', 'float32', [count, width]);
  b.input('teacher', 'float32', [count, width]);
  const made = objective.add(b, {
    logits: 'student',
    labels: '',
    scale: b.constant(float32Scalar(1 / count)),
    outputs: new Map(),
    targets: new Map([[TEACHER.logits, 'teacher']]),
    state: new Map(),
  });
  b.output(made.loss, 'loss');
  const lossOf = (own: readonly number[][]): number => {
    const feeds = Object.entries({ student: own, teacher }).map(([name, rows]) => {
      return [name, float32(rows.flat(), [count, width])] as const;
    });
    return toNumbers(evaluate(b.build(), new Map(feeds)).get('loss')!)[0]!;
  };

  it('is half the squared distance of features of length 1, mean over images', () => {
    const unit = (x: readonly number[]): number[] => x.map((value) => value / Math.hypot(...x));
    const halves = student.map((row, i) => {
      const [s, t] = [unit(row), unit(teacher[i]!)];
      return s.reduce((sum, value, k) => sum + (value - t[k]!) ** 2, 0) / 2;
    });
    expect(lossOf(student)).toBeCloseTo(halves.reduce((sum, x) => sum + x, 0) / count, 5);
  });

  it('is 0 where the features are the teacher’s but for their length, 2 where they are opposite', () => {
    expect(lossOf(teacher.map((row, i) => row.map((x) => (i + 1) * x)))).toBeCloseTo(0, 5);
    expect(lossOf(teacher.map((row) => row.map((x) => -x)))).toBeCloseTo(2, 5);
  });

  it('sends its gradient to the student', () => {
    const { graph, gradients } = gradient(b.build(), 'loss', ['student']);
    const feeds = new Map([
      ['student', float32(student.flat(), [count, width])],
      ['teacher', float32(teacher.flat(), [count, width])],
    ]);
    const found = toNumbers(evaluate(graph, feeds).get(gradients.get('student')!)!);
    const step = 1e-3;
    const moved = (by: number): number =>
      lossOf(student.map((row, i) => row.map((x, k) => (i === 1 && k === 2 ? x + by : x))));
    expect(found[1 * width + 2]).toBeCloseTo((moved(step) - moved(-step)) / (2 * step), 3);
  });
});
