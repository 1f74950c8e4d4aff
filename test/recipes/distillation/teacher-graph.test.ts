import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tensor, toNumbers, type Tensor } from '../../../src/core/tensor.ts';
import { softmax } from '../../../src/export/softmax.ts';
import { parsePreprocessing } from '../../../src/models/preprocessing.ts';
import { GraphBuilder } from '../../../src/onnx/builder.ts';
import { writeModel } from '../../../src/onnx/write.ts';
import { teacherGraph, type Question } from '../../../src/recipes/distillation/teacher-graph.ts';
import type { Teacher } from '../../../src/recipes/distillation/teacher.ts';
import { Engine } from '../../../src/runtime/engine.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await Engine.start({ device: 'cpu', threads: 1 });
});
afterAll(() => engine.dispose());

/**
 * A network that says what it sees: its twelve logits are the means of the quarters of its input in each colour, on 0 to 255
 * times `scale`.
 */
function seeing(side: number, scale = 1): Teacher {
  const b = new GraphBuilder('seeing');
  const x = b.input('input', 'float32', ['N', 3, side, side]);
  const quarters = b.op('AveragePool', [x], { kernel_shape: [side / 2, side / 2], strides: [side / 2, side / 2] });
  const logits = b.op('Reshape', [quarters, b.int([0, 12])]);
  b.output(logits);
  b.output(quarters);
  const std = 1 / scale;
  return {
    graph: b.build(),
    values: { logits, embedding: logits, maps: quarters },
    preprocessing: parsePreprocessing({ inputSize: [side, side], mean: [0, 0, 0], std: [std, std, std] }, 'test'),
    classes: Array.from({ length: 12 }, (_, i) => `c${i}`),
    width: 12,
    maps: [3, 2, 2],
    source: `seeing ${side}`,
    sha256: `${side}`,
  };
}

/** Two images [32, 32, 3] that are smooth, with a box of the one in the other, as mixing leaves them. */
function crops(): Tensor {
  const pixel = (image: number, y: number, x: number, k: number): number =>
    image === 1 && x > 9 && x < 22 && y > 4 && y < 17
      ? pixel(0, y, x, k)
      : Math.round(127 + 120 * Math.sin((0.11 + 0.03 * k) * x + 0.07 * y * (image + 1) + image));
  const data = Uint8Array.from({ length: 2 * 32 * 32 * 3 }, (_, i) => {
    const [k, x, y] = [i % 3, Math.floor(i / 3) % 32, Math.floor(i / 96) % 32];
    return pixel(Math.floor(i / 3072), y, x, k);
  });
  return tensor('uint8', [2, 32, 32, 3], data);
}

/** Means of the quarters, [n, 12], colours first. */
function quartersOf({ data, shape }: Tensor): number[] {
  const [n, side] = shape as [number, number];
  const half = side / 2;
  return Array.from({ length: n * 12 }, (_, i) => {
    const [image, k, row, column] = [Math.floor(i / 12), Math.floor(i / 4) % 3, Math.floor(i / 2) % 2, i % 2];
    let sum = 0;
    for (let y = row * half; y < (row + 1) * half; y++)
      for (let x = column * half; x < (column + 1) * half; x++)
        sum += Number(data[((image * side + y) * side + x) * 3 + k]);
    return sum / half ** 2;
  });
}

async function ask(
  teachers: readonly Teacher[],
  question: Partial<Question> = {},
  student?: readonly [number, number],
): Promise<Record<string, Tensor>> {
  const graph = teacherGraph(teachers, [32, 32], { temperature: 4, mappings: undefined, ...question }, student);
  const session = await engine.load(writeModel({ graph }), { name: 'teacher' });
  const result = await engine.run(session, { feeds: { crop: crops() } });
  await session.release();
  return result;
}

describe('what teachers are shown', () => {
  it('is the same region that the student sees, where their sides differ', async () => {
    const whole = quartersOf(crops());
    const small = await ask([seeing(16)], {}, [24, 24]);
    expect(small['images']!.shape).toEqual([2, 24, 24, 3]);
    // Shrinking keeps what is where; at the edge between two quarters it mixes a pixel of one into the other.
    const furthest = (means: readonly number[]): number => Math.max(...means.map((x, i) => Math.abs(x - whole[i]!)));
    expect(furthest(toNumbers(small['answer']!))).toBeLessThan(2);
    expect(furthest(quartersOf(small['images']!))).toBeLessThan(2);
    // The teacher at the larger side sees the crop as it is, and what the student sees is the same pixels, shrunk.
    const large = await ask([seeing(32)], {}, [16, 16]);
    expect(toNumbers(large['answer']!)).toEqual(whole.map((value) => expect.closeTo(value, 3)));
    expect(quartersOf(large['images']!)).toEqual(toNumbers(small['answer']!).map((value) => expect.closeTo(value, 3)));
    expect(Object.keys(await ask([seeing(16)]))).toEqual(['answer']);
  });

  it('is normalised in each one’s own way', async () => {
    const [one] = [await ask([seeing(32)])];
    const tenth = await ask([seeing(32, 0.1)]);
    expect(toNumbers(tenth['answer']!)).toEqual(toNumbers(one['answer']!).map((x) => expect.closeTo(x / 10, 3)));
  });
});

describe('what teachers answer', () => {
  const teacher = seeing(32, 0.02);
  const rows = async (teachers: readonly Teacher[], question?: Partial<Question>): Promise<number[][]> => {
    const { answer } = await ask(teachers, question);
    const width = answer!.shape[1]!;
    return [0, 1].map((row) => toNumbers(answer!).slice(row * width, (row + 1) * width));
  };

  it('keeps logits where one class stands for one, in the student’s order', async () => {
    const order = Array.from({ length: 12 }, (_, i) => 11 - i);
    const taught = order.map((from, student) => ({ student, from: [from] }));
    const plain = await rows([teacher]);
    expect(await rows([teacher], { mappings: [{ taught, by: 'names' }] })).toEqual(
      plain.map((row) => row.toReversed()),
    );
  });

  it('sums the probabilities that stand for a class, and renormalises', async () => {
    const taught = [
      { student: 0, from: [0, 5, 7] },
      { student: 2, from: [3] },
      { student: 3, from: [1, 2] },
    ];
    const [plain, mapped] = [await rows([teacher]), await rows([teacher], { mappings: [{ taught, by: 'table' }] })];
    for (const [i, row] of plain.entries()) {
      const p = softmax(row);
      const sums = taught.map(({ from }) => from.reduce((sum, k) => sum + p[k]!, 0));
      const total = sums.reduce((a, b) => a + b);
      expect(softmax(mapped[i]!)).toEqual(sums.map((share) => expect.closeTo(share / total, 6)));
    }
  });

  it('of several is the mean of their probabilities at T', async () => {
    const other = { ...seeing(16, 0.05), source: 'other' };
    const [a, b] = [await rows([teacher]), await rows([other])];
    const both = await rows([teacher, other], { temperature: 4 });
    for (const [i, row] of both.entries()) {
      const [p, q] = [softmax(a[i]!, 4), softmax(b[i]!, 4)];
      expect(softmax(row, 4)).toEqual(p.map((x, k) => expect.closeTo((x + q[k]!) / 2, 6)));
    }
  });

  it('holds an embedding, or one map with the attention of all', async () => {
    const { features } = await ask([teacher], { features: 'embedding' });
    expect(features!.shape).toEqual([2, 12]);
    const { features: map } = await ask([teacher], { features: 'attention' });
    expect(map!.shape).toEqual([2, 1, 2, 2]);
    const maps = (await rows([teacher])).map((row) =>
      [0, 1, 2, 3].map((at) => Math.sqrt([0, 4, 8].reduce((sum, k) => sum + row[k + at]! ** 2, 0) / 3)),
    );
    expect(toNumbers(map!)).toEqual(maps.flat().map((x) => expect.closeTo(x, 4)));
  });
});
