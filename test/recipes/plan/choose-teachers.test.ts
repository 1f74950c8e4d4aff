import { describe, expect, it } from 'vitest';
import { randomStream } from '../../../src/core/random.ts';
import { chooseTeachers } from '../../../src/recipes/plan/choose-teachers.ts';
import type { PlanSite } from '../../../src/recipes/plan/plan-site.ts';
import type { Suitability } from '../../../src/recipes/plan/rank-backbones.ts';

const told: Record<string, unknown>[] = [];
const site = (facts: object): PlanSite =>
  ({ facts, workshop: { record: (event: Record<string, unknown>) => told.push(event) } }) as unknown as PlanSite;

/** A backbone whose probe has the right class, of three, for what `errs` doesn't say; as sure of it as of what is wrong. */
function backbone(spec: string, errs: (row: number) => boolean): Suitability {
  const labels = Array.from({ length: 90 }, (_, row) => row % 3);
  const noise = randomStream('teachers', spec);
  const logits = Float32Array.from(
    labels.flatMap((label, row) =>
      [0, 1, 2].map((k) => (k === (errs(row) ? (label + 1) % 3 : label) ? 2 : 0) + noise.normal() / 10),
    ),
  );
  const held = { classes: ['a', 'b', 'c'], labels, ids: labels.map(String), logits, foundOn: 'a test' };
  return { candidate: { spec }, held, accuracy: 0.7, nll: 1, logMe: 0 } as unknown as Suitability;
}

const best = backbone('/somewhere/best.onnx', (row) => row % 4 === 0);
const other = backbone('other.onnx', (row) => row % 4 === 2);
const same = backbone('same.onnx', (row) => row % 4 === 0 || row % 9 === 1);

describe('chooseTeachers', () => {
  it('joins what errs on other images, and not what errs on the same and more', () => {
    expect(chooseTeachers(site({}), [best, same, other]).map(({ spec }) => spec)).toEqual([
      '/somewhere/best.onnx',
      'other.onnx',
    ]);
    expect(told.at(-1)).toMatchObject({
      stage: 'teachers',
      state: 'kept',
      why: expect.stringMatching(/^The probes of best.onnx, other.onnx label/),
    });
    expect(chooseTeachers(site({}), [best, same])).toEqual([]);
    expect(told.at(-1)).toMatchObject({ stage: 'teachers', state: 'dropped' });
  });

  it('has nothing to choose where one was ranked, nothing was held out or no image is without a label', () => {
    const before = told.length;
    expect(chooseTeachers(site({}), [best])).toEqual([]);
    expect(chooseTeachers(site({}), [best, { ...other, held: undefined }])).toEqual([]);
    expect(chooseTeachers(site({ withoutUnlabelled: 'none' }), [best, other])).toEqual([]);
    expect(told).toHaveLength(before);
  });
});
