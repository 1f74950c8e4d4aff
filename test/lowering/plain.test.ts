import { describe, expect, it } from 'vitest';
import type { Tensor } from '../../src/core/tensor.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { gradientRules } from '../../src/onnx/shapes/gradient.ts';
import { lower } from '../../src/lowering/lower.ts';
import type { LoweringCandidate } from '../../src/lowering/lowering.ts';
import { plainLowerings } from '../../src/lowering/plain/table.ts';
import { addCase, CASES, RESIZES, resizeCase, type Case } from './cases.ts';
import { run } from './engine.ts';
import { expectClose } from './expect-close.ts';
import { resizeAdjoint } from './resize-adjoint.ts';

const cases = [...CASES, ...(await Promise.all(RESIZES.map(async (row) => resizeCase(row, await resizeAdjoint(row)))))];

describe('plain lowerings', () => {
  it('cover every abstract op', () => {
    expect(Object.keys(plainLowerings).toSorted()).toEqual(Object.keys(gradientRules).toSorted());
    expect(new Set(cases.map((row) => row.opType))).toEqual(new Set(Object.keys(gradientRules)));
  });

  for (const row of cases)
    it(`${row.opType} ${row.name}`, async () => {
      const graph = caseGraph(row, row.constant ?? false);
      const seen: string[] = [];
      let count = 1;
      for (let choice = 0; choice < count; choice++) {
        const choose = (candidates: readonly LoweringCandidate[]): number => {
          count = candidates.length;
          seen.push(candidates[choice]!.name);
          return choice;
        };
        const lowered = lower(graph, { kind: 'plain', choose }).graph;
        expect(lowered.nodes.every((node) => node.domain === '')).toBe(true);
        const feeds = Object.fromEntries(row.inputs.map((input, i): [string, Tensor] => [`input${i}`, input]));
        const results = await run(lowered, feeds);
        for (const [i, expected] of row.expected.entries())
          expectClose(results[`output${i}`]!, expected, `${seen.at(-1) ?? 'default'}, output ${i}`);
      }
    });
});

export function caseGraph(row: Case, constantIndices = false): Graph {
  const b = new GraphBuilder('case');
  const inputs = row.inputs.map((input, i) =>
    constantIndices && input.dtype === 'int64'
      ? b.initializer(`input${i}`, input)
      : b.input(`input${i}`, input.dtype, input.shape),
  );
  addCase(b, row, inputs);
  return b.build();
}
