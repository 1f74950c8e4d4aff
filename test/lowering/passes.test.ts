import { describe, expect, it } from 'vitest';
import { float32, fromNumbers } from '../../src/core/tensor.ts';
import { withoutIdleRearrangements } from '../../src/lowering/passes/collapse-rearrangements.ts';
import { withoutCommonSubexpressions } from '../../src/lowering/passes/common-subexpressions.ts';
import { withFullRankScalars } from '../../src/lowering/passes/full-rank-scalars.ts';
import { withFusedConvolutions } from '../../src/lowering/passes/fuse-convolutions.ts';
import { withReorderedTransposes } from '../../src/lowering/passes/reordered-transposes.ts';
import { simplified } from '../../src/lowering/passes/simplify.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { NCHWC_DOMAIN, type Graph } from '../../src/onnx/graph.ts';
import { blockSize, run } from './engine.ts';

const ops = (graph: Graph): string => graph.nodes.map((node) => node.opType).join(' ');
const ramp = (shape: readonly number[]) =>
  fromNumbers(
    'float32',
    shape,
    Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i)),
  );

async function expectSameResults(before: Graph, after: Graph): Promise<void> {
  const feeds = Object.fromEntries(before.inputs.map(({ name, type }) => [name, ramp(type.shape as number[])]));
  expect(await run(after, feeds)).toEqual(await run(before, feeds));
}

/** Relu(Conv(x) + x), whose convolution is an output too where it has two readers. */
function residual(readers: number): Graph {
  const b = new GraphBuilder('g');
  const x = b.input('x', 'float32', [1, 16, 4, 4]);
  const w = b.initializer('w', ramp([16, 16, 1, 1]));
  const conv = b.op('Conv', [x, w], { kernel_shape: [1, 1] }, { domain: NCHWC_DOMAIN, name: 'conv' });
  b.output(b.op('Relu', [b.op('Add', [conv, x])], {}, { outputs: ['y'] }));
  if (readers > 1) b.output(conv);
  return b.build();
}

describe('common subexpressions', () => {
  it('are computed once; outputs keep their names', async () => {
    const b = new GraphBuilder('g');
    const x = b.input('x', 'float32', [2, 3]);
    const [first, second] = [b.op('Exp', [x]), b.op('Exp', [x])];
    b.output(b.op('Add', [b.op('Neg', [first]), b.op('Neg', [second])]), 'y');
    b.output(b.op('Exp', [x], {}, { outputs: ['z'] }));
    const graph = b.build();
    const after = withoutCommonSubexpressions(graph);
    expect(ops(after)).toBe('Exp Neg Add Identity Exp');
    expect(after.outputs.map((output) => output.name)).toEqual(['y', 'z']);
    await expectSameResults(graph, after);
  });

  it('do not include what differs in an attribute, or is random', () => {
    const b = new GraphBuilder('g');
    const x = b.input('x', 'float32', [2, 3]);
    b.output(b.op('Concat', [x, x], { axis: 0 }));
    b.output(b.op('Concat', [x, x], { axis: 1 }));
    b.output(b.op('Add', [b.op('RandomNormalLike', [x]), b.op('RandomNormalLike', [x])]));
    expect(withoutCommonSubexpressions(b.build()).nodes).toHaveLength(5);
  });
});

describe('transposes of small matrices', async () => {
  // Without a blocked layout, any width will do where nothing is run.
  const known = await blockSize();
  const block = known > 1 ? known : 8;

  it.skipIf(known === 1).each([
    [[5, block, block], 'ReorderInput'],
    [[3, block, 21], 'ReorderInput'],
    [[3, 21, block], 'ReorderOutput'],
  ])('%j become %s, where one side is the block', async (shape, reorder) => {
    const b = new GraphBuilder('g');
    b.output(b.op('Transpose', [b.input('x', 'float32', shape)], { perm: [0, 2, 1] }, { outputs: ['y'] }));
    const graph = b.build();
    const after = withReorderedTransposes(graph, block);
    expect(ops(after)).toBe(`Reshape ${reorder} Reshape`);
    await expectSameResults(graph, after);
  });

  it.each([
    ['no side is the block', [5, 6, 7], [0, 2, 1]],
    ['it is one matrix', [1, block, 9], [0, 2, 1]],
    ['another side moves', [5, block, block], [1, 0, 2]],
  ])('stay where %s', (_, shape, perm) => {
    const b = new GraphBuilder('g');
    b.output(b.op('Transpose', [b.input('x', 'float32', shape)], { perm }));
    expect(ops(withReorderedTransposes(b.build(), block))).toBe('Transpose');
  });
});

describe('idle rearrangements', () => {
  it('vanish: chains of Reshape, Transposes that undo each other or move sides of 1', async () => {
    const b = new GraphBuilder('g');
    const x = b.input('x', 'float32', [4, 1, 6]);
    const there = b.op('Reshape', [b.op('Reshape', [x, b.int([24])]), b.int([2, 12])]);
    const back = b.op('Reshape', [there, b.int([4, 1, 6])]);
    const turned = b.op('Transpose', [b.op('Transpose', [back], { perm: [2, 0, 1] })], { perm: [1, 2, 0] });
    const ones = b.op('Transpose', [b.op('Exp', [turned])], { perm: [1, 0, 2] });
    b.output(b.op('Neg', [ones]), 'y');
    const graph = b.build();
    const after = simplified(graph);
    expect(ops(after)).toBe('Exp Reshape Neg Identity');
    await expectSameResults(graph, after);
  });

  it('stay where an output needs them, and where they do something', async () => {
    const b = new GraphBuilder('g');
    const x = b.input('x', 'float32', [2, 3]);
    b.output(b.op('Reshape', [x, b.int([2, 3])]), 'same');
    const turned = b.op('Transpose', [b.op('Reshape', [x, b.int([3, 1, 2])])], { perm: [2, 1, 0] });
    b.output(turned, 'turned');
    const graph = b.build();
    const after = simplified(graph);
    expect(ops(after)).toContain('Transpose');
    await expectSameResults(graph, after);
  });

  it('include a reorder into blocks after the one out of them', () => {
    const b = new GraphBuilder('g');
    const x = b.input('x', 'float32', [1, 16, 4, 4]);
    const plain = b.op('ReorderOutput', [x], { channels: 16 }, { domain: NCHWC_DOMAIN });
    const again = b.op('ReorderInput', [plain], {}, { domain: NCHWC_DOMAIN });
    b.output(b.op('Neg', [again]), 'y');
    expect(ops(simplified(b.build()))).toBe('Neg Identity');
  });
});

describe('fused convolutions', () => {
  it('add and activate what only they feed', async () => {
    const after = withFusedConvolutions(residual(1));
    expect(ops(after)).toBe('Conv');
    expect(after.nodes[0]!.inputs).toEqual(['x', 'w', '', 'x']);
    expect(after.nodes[0]!.attributes['activation']).toEqual({ kind: 'string', value: 'Relu' });
    const feeds = { x: ramp([1, 16, 4, 4]) };
    const [plain, fused] = [await run(residual(1), feeds), await run(after, feeds)];
    for (const [i, value] of (plain['y']!.data as Float32Array).entries())
      expect(fused['y']!.data[i]).toBeCloseTo(value, 5);
  });

  it('leave a result alone that others read', () => {
    expect(ops(withFusedConvolutions(residual(2)))).toBe('Conv Add Relu');
  });

  it('take the later of two convolutions, so that the other is there', async () => {
    const b = new GraphBuilder('g');
    const x = b.input('x', 'float32', [1, 16, 4, 4]);
    const attributes = { kernel_shape: [1, 1] };
    const first = b.op('Conv', [x, b.initializer('v', ramp([16, 16, 1, 1]))], attributes, { domain: NCHWC_DOMAIN });
    const second = b.op('Conv', [x, b.initializer('w', ramp([16, 16, 1, 1]))], attributes, { domain: NCHWC_DOMAIN });
    const sum = b.op('Add', [second, first]);
    b.output(b.op('Clip', [sum, b.float(0), b.float(6)], {}, { outputs: ['y'] }));
    const after = withFusedConvolutions(b.build());
    expect(ops(after)).toBe('Conv Conv');
    const { y } = await run(after, { x: ramp([1, 16, 4, 4]) });
    expect(Math.min(...(y!.data as Float32Array))).toBe(0);
  });
});

describe('scalars', () => {
  it('get the rank of a tensor whose last side is 1, constants and computed ones', async () => {
    const b = new GraphBuilder('g');
    const x = b.input('x', 'float32', [6, 4, 1, 1]);
    const rate = b.input('rate', 'float32', []);
    b.output(b.op('Mul', [b.op('Sub', [b.float(2), x]), rate]), 'y');
    b.output(b.op('Mul', [b.op('Reshape', [x, b.int([6, 4])]), rate]), 'z');
    const graph = b.build();
    const after = withFullRankScalars(graph);
    const scalarShape = (node: string): unknown => {
      const { inputs } = after.nodes.find((candidate) => candidate.name === node)!;
      return inputs.map((input) => (after.initializers.get(input) ?? after.types.get(input))!.shape!.length);
    };
    expect(scalarShape('Sub')).toEqual([4, 4]);
    expect(scalarShape('Mul')).toEqual([4, 4]);
    expect(scalarShape('Mul_1')).toEqual([2, 0]);
    await expectSameResults(graph, after);
  });
});

it('passes leave a graph alone that has nothing to improve', () => {
  const b = new GraphBuilder('g');
  const x = b.input('x', 'float32', [2]);
  b.output(b.op('Add', [x, b.constant(float32([1, 2]))], {}, { outputs: ['y'] }));
  const graph = b.build();
  for (const pass of [
    withoutCommonSubexpressions,
    withoutIdleRearrangements,
    withFusedConvolutions,
    withFullRankScalars,
  ])
    expect(pass(graph).nodes).toEqual(graph.nodes);
});
