import { describe, expect, it } from 'vitest';
import { float32, int64, zeros } from '../../src/core/tensor.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { pruned } from '../../src/onnx/graph.ts';

describe('GraphBuilder', () => {
  it('points at the caller where a node does not fit', () => {
    const b = new GraphBuilder('g');
    const x = b.input('x', 'float32', ['N', 3, 8, 8]);
    const w = b.initializer('w', zeros('float32', [4, 2, 3, 3]));
    expect(() => b.op('Conv', [x, w], {}, { name: 'stem' })).toThrow(
      /^stem \(Conv\): the input has 3 channels.*takes 2/,
    );
    expect(() => b.op('Add', [x, b.int(1)])).toThrow(/one type, got float32 and int64/);
    expect(() => b.op('Relu', ['X'])).toThrow(/reads "X", which nothing makes \(did you mean "x"\?\)/);
    expect(() => b.op('Transpose', [x], { perm: [0, 1] })).toThrow(/"perm" must order the 4 axes/);
    expect(() => b.op('MaxPool', [x], { kernel_shape: [9, 9] })).toThrow(/window of 9 does not fit side 8/);
    expect(() => b.op('Reshape', [b.int([1, 2]), b.int([3])])).toThrow(/\[2\] can not be reshaped to \[3\]/);
    expect(() => b.op('Relu', [])).toThrow(/input 0 is required/);
    expect(() => b.input('x', 'float32', [])).toThrow(/"x" is taken/);
  });

  it('shares small equal constants, tells -0 from 0, and types apart', () => {
    const b = new GraphBuilder('g');
    expect(b.float([1, 2])).toBe(b.float([1, 2]));
    expect(b.float(0)).not.toBe(b.float(-0));
    expect(b.int(1)).not.toBe(b.float(1));
    expect(b.int(1)).not.toBe(b.int([1]));
  });

  it('names outputs after the node and makes names unique', () => {
    const b = new GraphBuilder('g');
    const x = b.input('x', 'float32', [4]);
    b.reserve(['Relu_1']);
    expect(b.op('Relu', [x])).toBe('Relu');
    expect(b.op('Relu', [x])).toBe('Relu_2');
    expect(b.ops('Split', [x], { num_outputs: 2 }, { name: 's', outputCount: 2 })).toEqual(['s', 's:1']);
  });

  it('follows open sides: equal names are equal, others are not', () => {
    const b = new GraphBuilder('g');
    const x = b.input('x', 'float32', ['N', 'M', 4]);
    const z = b.input('z', 'float32', ['N', 1, 4]);
    const v = b.input('v', 'float32', ['N', 'K', 4]);
    expect(b.type(b.op('Add', [x, z])).shape).toEqual(['N', 'M', 4]);
    const [n, unknown] = b.type(b.op('Add', [x, v])).shape!;
    expect(n).toBe('N');
    expect(['M', 'K']).not.toContain(unknown);
    expect(b.type(b.op('Reshape', [x, b.int([0, 0, 2, -1])])).shape).toEqual(['N', 'M', 2, 2]);
    expect(b.type(b.op('Reshape', [z, b.int([-1, 4])])).shape).toEqual(['N', 4]);
    expect(b.type(b.op('Flatten', [z])).shape).toEqual(['N', 4]);
  });

  it('never gives one symbol twice when it goes on from a graph', () => {
    const b = new GraphBuilder('g');
    b.output(b.op('NonZero', [b.input('x', 'int64', [4])]), 'y');
    const more = GraphBuilder.from(b.build());
    const [, first] = more.type('y').shape!;
    const [, second] = more.type(more.op('NonZero', ['x'])).shape!;
    expect(first).not.toBe(second);
  });

  it('knows nothing of an op without a rule, and takes what it is told', () => {
    const b = new GraphBuilder('g');
    const x = b.input('x', 'float32', [4]);
    const y = b.op('Inverse', [x], {}, { domain: 'com.microsoft' });
    expect(() => b.type(b.op('Relu', [y]))).toThrow(/not known/);
    b.declareType(y, { dtype: 'float32', shape: [4] });
    expect(b.type(b.op('Relu', [y])).shape).toEqual([4]);
  });
});

describe('pruned', () => {
  it('leaves what the outputs need', () => {
    const b = new GraphBuilder('g');
    const x = b.input('x', 'float32', [2]);
    b.op('Mul', [x, b.initializer('unused', float32([1, 2]))]);
    b.output(b.op('Gather', [x, b.initializer('used', int64([0]))]), 'y');
    const graph = pruned(b.build());
    expect(graph.nodes.map((node) => node.opType)).toEqual(['Gather', 'Identity']);
    expect([...graph.initializers.keys()]).toEqual(['used']);
  });
});
