import { describe, it } from 'vitest';
import { tensor, type Tensor } from '../../src/core/tensor.ts';
import { lower } from '../../src/lowering/lower.ts';
import type { LoweringCandidate } from '../../src/lowering/lowering.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { addCase, CASES, RESIZES, resizeCase, type Case } from './cases.ts';
import { blockSize, run } from './engine.ts';
import { expectClose } from './expect-close.ts';
import { resizeAdjoint } from './resize-adjoint.ts';

const block = await blockSize();
const cases = [...CASES, ...(await Promise.all(RESIZES.map(async (row) => resizeCase(row, await resizeAdjoint(row)))))];

/** Every input of rank 4 goes through a convolution that changes nothing, so that it arrives in blocks. */
function blockedCaseGraph(row: Case): Graph {
  const b = new GraphBuilder('case');
  const inputs = row.inputs.map((input, i) => {
    const name = b.input(`input${i}`, input.dtype, input.shape);
    const isWeight = row.opType === 'ConvGradInput' && i === 1;
    if (input.shape.length !== 4 || isWeight || input.dtype !== 'float32') return name;
    const channels = input.shape[1]!;
    const ones = b.constant(tensor('float32', [channels, 1, 1, 1], new Float32Array(channels).fill(1)));
    return b.op('Conv', [name, ones], { kernel_shape: [1, 1], group: channels });
  });
  addCase(b, row, inputs);
  return b.build();
}

describe.skipIf(block === 1)(`blocked lowerings, blocks of ${block}`, () => {
  for (const row of cases)
    it(`${row.opType} ${row.name}`, async () => {
      const graph = blockedCaseGraph(row);
      let count = 1;
      for (let choice = 0; choice < count; choice++) {
        let name = 'default';
        const choose = (candidates: readonly LoweringCandidate[], key: string): number => {
          if (!key.startsWith(row.opType)) return 0;
          count = candidates.length;
          name = candidates[choice]!.name;
          return choice;
        };
        const lowered = lower(graph, { kind: 'blocked', block, choose }).graph;
        const feeds = Object.fromEntries(row.inputs.map((input, i): [string, Tensor] => [`input${i}`, input]));
        const results = await run(lowered, feeds);
        for (const [i, expected] of row.expected.entries())
          expectClose(results[`output${i}`]!, expected, `${name}, output ${i}`);
      }
    });
});
