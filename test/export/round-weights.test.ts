import { describe, expect, it } from 'vitest';
import { randomStream } from '../../src/core/random.ts';
import { float32, toNumbers } from '../../src/core/tensor.ts';
import { biasScale, roundWeights } from '../../src/export/round-weights.ts';
import { int, type Node } from '../../src/onnx/graph.ts';

const stream = randomStream('round weights');
const random = (size: number): number[] => Array.from({ length: size }, () => stream.normal());

function node(opType: string, attributes: Node['attributes'] = {}): Node {
  return { name: opType, opType, domain: '', inputs: ['x', 'w', 'b'], outputs: ['y'], attributes };
}

/** Output channel and input channel of weights [O, I/g, 3], written out. */
const grouped = Array.from({ length: 6 * 2 * 3 }, (_, i) => {
  const [o, within] = [Math.floor(i / 6), Math.floor(i / 3) % 2];
  return { o, input: Math.floor(o / 2) * 2 + within };
});

describe('roundWeights', () => {
  it.each([
    [
      'a convolution',
      node('Conv'),
      [4, 3, 2, 2],
      Array.from({ length: 48 }, (_, i) => ({ o: Math.floor(i / 12), input: Math.floor(i / 4) % 3 })),
    ],
    ['a grouped convolution', node('Conv', { group: int(3) }), [6, 2, 3], grouped],
    [
      'a depthwise convolution',
      node('Conv', { group: int(4) }),
      [4, 1, 5],
      Array.from({ length: 20 }, (_, i) => ({ o: Math.floor(i / 5), input: Math.floor(i / 5) })),
    ],
    ['a Gemm', node('Gemm'), [5, 3], Array.from({ length: 15 }, (_, i) => ({ o: i % 3, input: Math.floor(i / 3) }))],
    [
      'a transposed Gemm',
      node('Gemm', { transB: int(1) }),
      [3, 5],
      Array.from({ length: 15 }, (_, i) => ({ o: Math.floor(i / 5), input: i % 5 })),
    ],
  ])('keeps the mean output of %s, which rounding alone would shift', (_, product, shape, places) => {
    const outputs = 1 + Math.max(...places.map(({ o }) => o));
    const means = random(1 + Math.max(...places.map(({ input }) => input)));
    const [weights, biases] = [random(places.length), random(outputs)];
    const meanOutput = (values: readonly number[], offset: readonly number[]): number[] =>
      offset.map((b, o) =>
        places.reduce((sum, place, i) => sum + (place.o === o ? values[i]! * means[place.input]! : 0), b),
      );
    const input = { scale: 0.01, means };
    const { weight, scales, bias } = roundWeights(product, float32(weights, shape), float32(biases), input, 7);
    const read = toNumbers(weight).map((q, i) => q * scales[places[i]!.o]!);
    const readBias = toNumbers(bias!).map((q, o) => q * biasScale(scales[o]!, input));
    const expected = meanOutput(weights, biases);
    const shifted = meanOutput(read, biases);
    for (const [o, value] of meanOutput(read, readBias).entries())
      expect(Math.abs(value - expected[o]!)).toBeLessThanOrEqual(0.51 * biasScale(scales[o]!, input));
    expect(Math.max(...shifted.map((value, o) => Math.abs(value - expected[o]!)))).toBeGreaterThan(0.02);
  });

  it('gives a convolution without bias one, and a MatMul none', () => {
    const input = { scale: 0.1, means: [1, 2] };
    expect(roundWeights(node('Conv'), float32([0.3, 0.5], [1, 2, 1]), undefined, input, 63).bias).toBeDefined();
    expect(roundWeights(node('MatMul'), float32([0.3, 0.5], [2, 1]), undefined, input, 63).bias).toBeUndefined();
    const without = { scale: 0.1, means: undefined };
    expect(roundWeights(node('Conv'), float32([0.3, 0.5], [1, 2, 1]), undefined, without, 63).bias).toBeUndefined();
  });
});
