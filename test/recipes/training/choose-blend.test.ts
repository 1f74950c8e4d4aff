import { describe, expect, it } from 'vitest';
import { float32 } from '../../../src/core/tensor.ts';
import { parsePreprocessing } from '../../../src/models/preprocessing.ts';
import { GraphBuilder } from '../../../src/onnx/builder.ts';
import { blended, likeliestShare } from '../../../src/recipes/training/choose-blend.ts';
import type { Network } from '../../../src/recipes/networks/network.ts';

function network(weight: number): Network {
  const b = new GraphBuilder('n');
  b.output(b.op('Mul', [b.input('x', 'float32', ['N', 2]), b.initializer('w', float32([weight]))]), 'logits');
  const preprocessing = parsePreprocessing({ inputSize: [8, 8], mean: [0, 0, 0], std: [1, 1, 1] }, 'the test');
  return { graph: b.build(), input: 'x', logits: 'logits', preprocessing, head: [] };
}

const weightOf = ({ graph }: Network): number => (graph.initializers.get('w')!.data as Float32Array)[0]!;

describe('blended', () => {
  it('lies between both ends', () => {
    const pair = { start: network(1), trained: network(3) };
    expect([0, 0.25, 1].map((share) => weightOf(blended(pair, share)))).toEqual([1, 1.5, 3]);
  });
});

describe('likeliestShare', () => {
  const held = (...rows: readonly (readonly [number, number])[]) => ({
    classes: ['a', 'b'],
    logits: Float32Array.from(rows.flat()),
    labels: [0, 1, 0],
    foundOn: 'a test',
  });

  it('takes the best ranking, however sure each is of itself', () => {
    const wrong = held([2, 0], [2, 0], [0, 1]);
    // Right twice and nearly the third time, but shouting.
    const loud = held([20, 0], [0, 20], [0, 1]);
    const found = likeliestShare([0, 0.5, 1], [wrong, loud, wrong]);
    expect(found.share).toBe(0.5);
    expect(found.predictions).toBe(loud);
    expect(found.nll[1]).toBeLessThan(found.nll[0]!);
  });

  it('of equals takes the one nearest to the start', () => {
    const same = held([1, 0], [0, 1], [0, 1]);
    expect(likeliestShare([0, 1], [same, same]).share).toBe(0);
  });
});
