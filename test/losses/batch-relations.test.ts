import { describe, expect, it } from 'vitest';
import { compute, computeOnEngine, graphOf, numbers, rows, type Subject } from './distillation-cases.ts';
import { expectClose } from './expect-close.ts';

const none = { reduction: 'none' } as const;
const build = (loss: Subject['loss'], inputs: Subject['inputs'], options: Subject['options'] = {}) =>
  graphOf({ loss, inputs, options });

/** Embeddings of two numbers, as rows. */
const E = [[1, 0.5], [-0.25, 2], [0.75, -1], [-1.5, -0.5]]; // prettier-ignore

describe('relationalDistillation', () => {
  const relational = (inputs: Subject['inputs'], options: Subject['options'] = none) =>
    compute({ loss: 'relationalDistillation', inputs, options });

  it('does not see rotation, reflection, shift and scale', () => {
    const [cos, sin] = [Math.cos(0.7), Math.sin(0.7)];
    const moved = E.map(([x, y]) => [3 * (cos * x! - sin * y!) + 5, -3 * (sin * x! + cos * y!) - 2]);
    const teacher = numbers([4, 3], 1);
    const [original, image] = [E, moved].map((e) => relational({ student: rows(e), teacher }));
    expectClose(image!.loss, original!.loss, 1e-10);
    const same = relational({ student: rows(moved), teacher: rows(E) });
    expectClose(same.loss, [0, 0, 0, 0], 1e-12);
    expectClose(same.gradients['student']!, Array<number>(8).fill(0), 1e-10);
  });

  it('has a finite gradient where embeddings coincide, as in the interpreter and on the engine', async () => {
    const twins = rows([E[0]!, E[0]!, E[2]!, E[3]!]);
    const point = rows([E[0]!, E[0]!, E[0]!, E[0]!]);
    const apart = numbers([4, 3], 2);
    const inputs = [
      { student: twins, teacher: apart },
      { student: point, teacher: apart },
      { student: rows(E), teacher: twins },
      { student: rows(E), teacher: point },
      { student: point, teacher: point },
    ];
    for (const each of inputs) {
      const exact = relational(each);
      const engine = await computeOnEngine({ loss: 'relationalDistillation', inputs: each, options: none });
      for (const { loss, gradients } of [exact, engine])
        expect([...loss, ...gradients['student']!].every(Number.isFinite)).toBe(true);
      expectClose(engine.loss, exact.loss, 1e-6);
      expectClose(engine.gradients['student']!, exact.gradients['student']!, 1e-5);
      // A point has no direction to move to.
      if (each.student === point) expectClose(exact.gradients['student']!, Array<number>(8).fill(0), 1e-30);
    }
  });

  it('is the formula where embeddings coincide: their distance is 0 and so are their cosines', () => {
    // Three on a line, two of them one: distances 0, 1, 1 over their mean, against a teacher's equal ones.
    const inputs = { student: rows([[0], [0], [2]]), teacher: rows([[0, 0], [1, 0], [0.5, Math.sqrt(0.75)]]) }; // prettier-ignore
    const distances = relational(inputs, { ...none, distance: 1, angle: 0 });
    const huber = (x: number): number => (Math.abs(x) < 1 ? x ** 2 / 2 : Math.abs(x) - 0.5);
    const [apart, twin] = [huber(1.5 - 1), huber(0 - 1)];
    expectClose(distances.loss, [(twin + apart) / 3, (twin + apart) / 3, (2 * apart) / 3], 1e-12);
    const angles = relational(inputs, { ...none, distance: 0, angle: 1 });
    // At a corner whose twin it is: of 9 cosines, that of the twin with itself 0 for 1, that between both 0 for 1/2, twice;
    // at the third, between the twins 1 for 1/2, twice.
    const corner = (huber(1) + 2 * huber(0.5)) / 9;
    expectClose(angles.loss, [corner, corner, (2 * huber(0.5)) / 9], 1e-12);
    // On a line, cosines are at their largest; and a twin has no direction to be pulled to.
    const uneven = { ...inputs, teacher: rows([[0, 0], [1, 0], [2, 1]]) }; // prettier-ignore
    expectClose(relational(uneven, { ...none, distance: 0 }).gradients['student']!, [0, 0, 0], 1e-12);
  });

  it('tells embeddings a hundredth of the batch apart, on the engine too, but not a ten-thousandth', async () => {
    const teacher = rows([[0, 1], [1, 0], [-1, 0]]); // prettier-ignore
    // At the first, the others are at right angles for the teacher; for the student they are on one side or both.
    for (const [gap, cosines] of [
      [0.01, 1],
      [-0.01, -1],
      [1e-4, 0],
    ] as const) {
      // prettier-ignore
      const inputs = { student: rows([[0], [gap], [1]]), teacher };
      const options = { ...none, distance: 0, angle: 9 };
      const { loss } = await computeOnEngine({ loss: 'relationalDistillation', inputs, options });
      // Two cosines of 9, and that of the twin with itself where it counts as one.
      expectClose(loss.slice(0, 1), [cosines ** 2 + (cosines === 0 ? 0.5 : 0)], 1e-4);
    }
  });

  it('refuses what does not fit', () => {
    const [student, teacher] = [numbers([4, 2], 1), numbers([4, 3], 2)];
    expect(() => build('relationalDistillation', { student: numbers([1, 2], 1), teacher: numbers([1, 2], 1) })).toThrow(
      'it needs at least 2, got 1',
    );
    expect(() => build('relationalDistillation', { student, teacher: numbers([3, 2], 1) })).toThrow(
      'must have features of one type, [N, D] of one N',
    );
    expect(() => build('relationalDistillation', { student, teacher }, { distance: 0, angle: 0 })).toThrow(
      'One of distance and angle must be over 0',
    );
    expect(() => build('relationalDistillation', { student, teacher }, { angle: -2 })).toThrow(RangeError);
  });
});

describe('contrastiveDistillation', () => {
  const contrastive = (inputs: Subject['inputs'], temperature?: number) =>
    compute({
      loss: 'contrastiveDistillation',
      inputs,
      options: { ...none, ...(temperature !== undefined && { temperature }) },
    });

  it('is 2 ln(1 + (N - 1) e^(-1 / T)) where each is its own and at right angles to the others', () => {
    const axes = rows([[1, 0, 0], [0, 2, 0], [0, 0, -3]]); // prettier-ignore
    const value = 2 * Math.log(1 + 2 * Math.exp(-1 / 0.5));
    expectClose(contrastive({ student: axes, teacher: axes }, 0.5).loss, [value, value, value], 1e-12);
    const byDefault = 2 * Math.log(1 + 2 * Math.exp(-1 / 0.07));
    expectClose(contrastive({ student: axes, teacher: axes }).loss, [byDefault, byDefault, byDefault], 1e-12);
  });

  it('does not see the length of embeddings, and pulls to its own and away from the others', () => {
    const [student, teacher] = [rows(E), rows([[1, 1], [0, 1], [1, -1], [-1, 0]])]; // prettier-ignore
    const longer = rows(E.map((row, i) => row.map((x) => x * (i + 2))));
    expectClose(contrastive({ student: longer, teacher }).loss, contrastive({ student, teacher }).loss, 1e-12);
    const swapped = rows([[0, 1], [1, 1], [1, -1], [-1, 0]]); // prettier-ignore
    const [own, others] = [teacher, swapped].map((t) => contrastive({ student, teacher: t }).loss);
    expect(others![0]).toBeGreaterThan(own![0]! + 1);
  });

  it('has no gradient of an embedding that is 0', async () => {
    const inputs = { student: rows([[0, 0], [1, 2]]), teacher: rows([[1, 0], [0, 0]]) }; // prettier-ignore
    const { loss, gradients } = await computeOnEngine({ loss: 'contrastiveDistillation', inputs, options: none });
    expect(loss.every(Number.isFinite)).toBe(true);
    expectClose(gradients['student']!.slice(0, 2), [0, 0], 1e-30);
    expect(Math.abs(gradients['student']![2]!)).toBeGreaterThan(0.01);
  });

  it('refuses what does not fit', () => {
    const [student, teacher] = [numbers([3, 2], 1), numbers([3, 4], 2)];
    expect(() => build('contrastiveDistillation', { student, teacher })).toThrow(
      'Embeddings must be projected to one width, got 2 (student) and 4 (teacher).',
    );
    expect(() => build('contrastiveDistillation', { student, teacher: student }, { temperature: 0 })).toThrow(
      RangeError,
    );
    const one = numbers([1, 2], 1);
    expect(() => build('contrastiveDistillation', { student: one, teacher: one })).toThrow('at least 2 samples, got 1');
  });
});
