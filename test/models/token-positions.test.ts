import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { tensor } from '../../src/core/tensor.ts';
import { atInputSize } from '../../src/models/input-size.ts';
import { buildModel } from '../../src/models/registry.ts';
import { atOtherGrid } from '../../src/models/token-positions.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { noise } from './formula-weights.ts';
import { runGraph } from './run-graph.ts';

type Grid = [number, number];
/** By PyTorch; see make-positions.py. */
const golden = JSON.parse(readFileSync(new URL('golden/positions.json', import.meta.url), 'utf8')) as {
  before: Grid;
  after: Grid;
  others: number;
  positions: number[][];
}[];

const sines = (count: number): Float32Array => Float32Array.from({ length: count }, (_, i) => Math.sin(i));

/** What a transformer does before its first block: patches of 2x2 pixels, other tokens in front, positions added. */
function tokens(grid: Grid, others: number): Graph {
  const b = new GraphBuilder('tokens');
  const patches = grid[0] * grid[1];
  const x = b.input('x', 'float32', ['N', 3, 2 * grid[0], 2 * grid[1]]);
  const kernel = b.initializer('kernel', tensor('float32', [4, 3, 2, 2], new Float32Array(48)));
  const embedded = b.op('Conv', [x, kernel], { strides: [2, 2], kernel_shape: [2, 2] });
  const flat = b.op('Transpose', [b.op('Reshape', [embedded, b.int([0, 4, patches])])], { perm: [0, 2, 1] });
  const all = b.op('Pad', [flat, b.int([0, others, 0, 0, 0, 0])]);
  const positions = b.initializer(
    'positions',
    tensor('float32', [1, others + patches, 4], sines((others + patches) * 4)),
  );
  b.output(b.op('Reshape', [b.op('Add', [all, positions]), b.int([0, others + patches, 2, 2])]), 'y');
  return b.build();
}

describe('atOtherGrid', () => {
  it.each(golden)(
    'interpolates positions from $before to $after patches as PyTorch does, not those of $others other tokens',
    async ({ before, after, others, positions }) => {
      const [from, to] = [before, after].map(([h, w]) => [2 * h, 2 * w]) as [Grid, Grid];
      const moved = atOtherGrid(tokens(before, others), from, to)!;
      const graph = {
        ...moved,
        types: new Map(),
        inputs: [{ ...moved.inputs[0]!, type: { dtype: 'float32' as const, shape: ['N', 3, ...to] } }],
        outputs: [{ name: 'y', type: { dtype: 'float32' as const, shape: ['N', positions.length, 2, 2] } }],
      };
      const { y } = await runGraph(graph, tensor('float32', [1, 3, ...to], new Float32Array(3 * to[0] * to[1])));
      for (const [i, value] of positions.flat().entries()) expect(Number(y!.data[i])).toBeCloseTo(value, 5);
      expect(y!.data.length).toBe(positions.flat().length);
    },
  );

  it('gives a vision transformer that is as one built for the size, with the same positions', async () => {
    const at = (side: number): Graph =>
      buildModel('vit_tiny_patch16_224', { classes: 3, inputSize: side, seed: 1 }).graph;
    const resized = atInputSize(at(64), [48, 48], 'nchw');
    const built = at(48);
    const [, weights] = [...resized.initializers].find(([name]) => name.endsWith('pos_embed.interpolation'))!;
    const own = at(64).initializers.get('pos_embed')!.data as Float32Array;
    // [10, 17] x [17, 192]
    const positions = new Float32Array(10 * 192);
    for (let t = 0; t < 10; t++)
      for (let s = 0; s < 17; s++)
        for (let d = 0; d < 192; d++) positions[t * 192 + d]! += Number(weights.data[t * 17 + s]) * own[s * 192 + d]!;
    const initializers = new Map(built.initializers).set('pos_embed', tensor('float32', [1, 10, 192], positions));
    const x = tensor('float32', [2, 3, 48, 48], Float32Array.from(noise('x', 2 * 3 * 48 * 48)));
    const [a, b] = await Promise.all([resized, { ...built, initializers }].map((graph) => runGraph(graph, x)));
    for (const [i, value] of (b!['embedding']!.data as Float32Array).entries())
      expect(Number(a!['embedding']!.data[i])).toBeCloseTo(value, 4);
  });

  it('leaves a convolutional network to others, and says which sizes patches divide', () => {
    const { graph } = buildModel('digits', { classes: 3 });
    expect(atOtherGrid(graph, [28, 28], [20, 20])).toBeUndefined();
    expect(() => atOtherGrid(tokens([4, 4], 1), [8, 8], [7, 6])).toThrow(
      /multiples of its patches of 2 pixels, not 7x6/,
    );
  });
});
