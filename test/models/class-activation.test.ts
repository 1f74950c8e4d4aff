import { describe, expect, test } from 'vitest';
import { ModelError } from '../../src/core/errors.ts';
import { tensor } from '../../src/core/tensor.ts';
import { withClassActivation } from '../../src/models/class-activation.ts';
import { loadWeights } from '../../src/models/load-weights.ts';
import { buildModel } from '../../src/models/registry.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { formulaWeights, noise } from './formula-weights.ts';
import { runGraph } from './run-graph.ts';

const floats = (name: string, shape: number[]): ReturnType<typeof tensor> =>
  tensor(
    'float32',
    shape,
    Float32Array.from(
      noise(
        name,
        shape.reduce((a, b) => a * b, 1),
      ),
    ),
  );
const BIAS = [0.5, -1, 2, 0];

/** Maps [N, 3, 4, 5], their mean, and what `head` makes of it, plus a bias of 4 classes. */
function network(head: (b: GraphBuilder, maps: string) => string): Graph {
  const b = new GraphBuilder('network');
  b.output(head(b, b.op('Relu', [b.input('input', 'float32', ['N', 3, 4, 5])])), 'logits');
  return b.build();
}
const mean = (b: GraphBuilder, maps: string): string => b.op('GlobalAveragePool', [maps]);
const flat = (b: GraphBuilder, maps: string): string => b.op('Flatten', [mean(b, maps)], { axis: 1 });
const weight = (b: GraphBuilder, shape: number[]): string => b.initializer('w', floats('w', shape));

describe('withClassActivation', () => {
  test.each<[string, Graph]>([
    ['a Gemm', network((b, x) => b.op('Gemm', [flat(b, x), weight(b, [4, 3]), b.float(BIAS)], { transB: 1 }))],
    ['a Gemm with columns', network((b, x) => b.op('Gemm', [flat(b, x), weight(b, [3, 4]), b.float(BIAS)]))],
    [
      'a product after a ReduceMean',
      network((b, x) => {
        const pooled = b.op('ReduceMean', [x, b.int([-1, -2])], { keepdims: 0 });
        return b.op('Add', [b.op('MatMul', [pooled, weight(b, [3, 4])]), b.float(BIAS)]);
      }),
    ],
    [
      'a 1x1 convolution',
      network((b, x) =>
        b.op('Flatten', [b.op('Conv', [mean(b, x), weight(b, [4, 3, 1, 1]), b.float(BIAS)])], { axis: 1 }),
      ),
    ],
  ])('%s: the mean of a map plus the bias is the logit', async (_, graph) => {
    const input = floats('input', [2, 3, 4, 5]);
    const found = await runGraph(withClassActivation(graph), input);
    const { cam, logits } = found;
    expect(Object.keys(found)).toEqual(['logits', 'cam']);
    expect(cam!.dims).toEqual([2, 4, 4, 5]);
    for (let row = 0; row < 8; row++) {
      const map = (cam!.data as Float32Array).subarray(row * 20, (row + 1) * 20);
      const sum = map.reduce((total, x) => total + x, 0);
      expect(sum / 20 + BIAS[row % 4]!).toBeCloseTo(logits!.data[row] as number, 5);
    }
  });

  test('a place of the map is the classifier on the features there', async () => {
    const graph = network((b, x) => b.op('Gemm', [flat(b, x), weight(b, [4, 3]), b.float(BIAS)], { transB: 1 }));
    const input = floats('input', [2, 3, 4, 5]);
    const map = (await runGraph(withClassActivation(graph), input))['cam']!.data as Float32Array;
    const [x, w] = [input.data as Float32Array, floats('w', [4, 3]).data as Float32Array];
    for (const [n, k, at] of [
      [0, 0, 0],
      [1, 2, 13],
      [1, 3, 19],
    ] as const) {
      let wanted = 0;
      for (let d = 0; d < 3; d++) wanted += w[k * 3 + d]! * Math.max(0, x[(n * 3 + d) * 20 + at]!);
      expect(map[(n * 4 + k) * 20 + at]).toBeCloseTo(wanted, 5);
    }
  });

  test('works on a built network', async () => {
    const built = buildModel('digits', { classes: 10, width: 4, dropout: 0.1 });
    const { graph } = loadWeights(built, formulaWeights(built.graph)).model;
    const found = await runGraph(withClassActivation(graph), floats('photo', [1, 3, 28, 28]));
    const [cam, logits] = [found['cam']!, found['logits']!];
    expect(cam.dims).toEqual([1, 10, 7, 7]);
    const bias = graph.initializers.get('fc.bias')!.data as Float32Array;
    for (let k = 0; k < 10; k++) {
      const map = (cam.data as Float32Array).subarray(k * 49, (k + 1) * 49);
      expect(map.reduce((a, b) => a + b, 0) / 49 + bias[k]!).toBeCloseTo(logits.data[k] as number, 3);
    }
  });

  test('refuses what has no mean of maps before a linear layer', () => {
    const maximum = network((b, x) => {
      const pooled = b.op('Flatten', [b.op('GlobalMaxPool', [x])], { axis: 1 }, { outputs: ['peaks'] });
      return b.op('Gemm', [pooled, weight(b, [4, 3])], { transB: 1 });
    });
    expect(() => withClassActivation(maximum)).toThrow(ModelError);
    expect(() => withClassActivation(maximum)).toThrow(/"peaks".*no such mean/);
    const features = new GraphBuilder('features');
    features.output(flat(features, features.input('input', 'float32', ['N', 3, 4, 5])), 'features');
    expect(() => withClassActivation(features.build())).toThrow(/no linear layer/);
    const rows = network((b, x) => {
      const pooled = b.op('ReduceMean', [x, b.int([1, 3])], { keepdims: 0 });
      return b.op('Gemm', [pooled, b.initializer('w', floats('w', [4, 4]))], { transB: 1 });
    });
    expect(() => withClassActivation(rows)).toThrow(/no such mean/);
  });
});
