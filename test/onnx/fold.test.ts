import { describe, expect, it } from 'vitest';
import { float32, float32Scalar, fromNumbers, int64, int64Scalar, tensor, type Tensor } from '../../src/core/tensor.ts';
import { GraphBuilder, type AttributeInput } from '../../src/onnx/builder.ts';
import { foldConstants } from '../../src/onnx/fold.ts';
import { float, tensorAttribute, type Graph } from '../../src/onnx/graph.ts';
import { writeModel } from '../../src/onnx/write.ts';
import { relativeError, run } from './engine.ts';

type Case = readonly [
  name: string,
  op: string,
  inputs: readonly (Tensor | '')[],
  attributes?: Record<string, AttributeInput>,
  outputCount?: number,
];

const bool = (values: readonly number[], shape = [values.length]): Tensor => fromNumbers('bool', shape, values);
const numbers = float32([1.5, -2.25, 0, 7, -0.5, 2.5], [2, 3]);
const integers = int64([7, -7, 3, 0, 12, -5], [2, 3]);
const row = int64([2, 3, -4]);
const END = tensor('int64', [1], BigInt64Array.of(2n ** 63n - 1n));

const cases: readonly Case[] = [
  ...['Abs', 'Ceil', 'Exp', 'Floor', 'Neg', 'Relu', 'Round', 'Sign'].map((op): Case => [op, op, [numbers]]),
  ...['Log', 'Sqrt', 'Reciprocal'].map((op): Case => [op, op, [float32([0.5, 2, 9])]]),
  ...['Add', 'Sub', 'Mul', 'Div', 'Mod', 'Max', 'Min'].map((op): Case => [`${op} of integers`, op, [integers, row]]),
  ...['Add', 'Sub', 'Mul', 'Div', 'Pow', 'Max', 'Min', 'Sum'].map((op): Case => [
    `${op} of floats`,
    op,
    [float32([1.5, 2, 9, 0.25], [2, 2]), float32([2, -3])],
  ]),
  ['Mod with fmod', 'Mod', [integers, row], { fmod: 1 }],
  ['Pow of integers', 'Pow', [int64([2, -3, 5]), int64([3, 2, 0])]],
  ['Not', 'Not', [bool([1, 0])]],
  ...['And', 'Or', 'Xor'].map((op): Case => [op, op, [bool([1, 1, 0, 0], [2, 2]), bool([1, 0])]]),
  ...['Equal', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual'].map((op): Case => [
    op,
    op,
    [int64([1, 2, 3]), int64Scalar(2)],
  ]),
  ['Where', 'Where', [bool([1, 0, 1]), integers, int64Scalar(9)]],
  ['Cast to integers', 'Cast', [numbers], { to: 7 }],
  ['Cast to floats', 'Cast', [integers], { to: 1 }],
  ['Cast to bool', 'Cast', [integers], { to: 9 }],
  ['Clip', 'Clip', [numbers, float32Scalar(-1), float32Scalar(2)]],
  ['Clip from below', 'Clip', [integers, int64Scalar(0)]],
  ['Concat', 'Concat', [integers, int64([1, 2, 3], [1, 3])], { axis: 0 }],
  ['Concat of an empty part', 'Concat', [int64([], [0]), row], { axis: 0 }],
  ['Expand', 'Expand', [int64([1, 2], [2, 1]), int64([2, 1, 3])]],
  ['Flatten', 'Flatten', [integers], { axis: 0 }],
  ['Gather', 'Gather', [integers, int64([[-1, 0]].flat(), [1, 2])], { axis: 1 }],
  ['Gather of one', 'Gather', [row, int64Scalar(1)], { axis: 0 }],
  ['Pad', 'Pad', [integers, int64([1, -1, 0, 2]), int64Scalar(5)]],
  ['Pad of one axis', 'Pad', [numbers, int64([0, 2]), '', int64([1])]],
  ['Reshape', 'Reshape', [integers, int64([0, -1, 1])]],
  ['Slice', 'Slice', [integers, int64([1]), END, int64([1])]],
  ['Slice backwards', 'Slice', [integers, int64([-1]), int64([-9]), int64([1]), int64([-2])]],
  ['Split', 'Split', [integers, int64([1, 2])], { axis: 1 }, 2],
  ['Squeeze', 'Squeeze', [int64([4], [1, 1])]],
  ['Tile', 'Tile', [integers, int64([2, 2])]],
  ['Transpose', 'Transpose', [integers]],
  ['Transpose of three axes', 'Transpose', [int64([1, 2, 3, 4, 5, 6], [1, 2, 3])], { perm: [2, 0, 1] }],
  ['Unsqueeze', 'Unsqueeze', [row, int64([0, 2])]],
  ['Shape', 'Shape', [integers]],
  ['Size', 'Size', [integers]],
  ['CumSum', 'CumSum', [integers, int64Scalar(1)]],
  ['CumSum reverse and exclusive', 'CumSum', [integers, int64Scalar(0)], { reverse: 1, exclusive: 1 }],
  ['ReduceProd', 'ReduceProd', [integers, int64([1])], { keepdims: 0 }],
  ['ReduceSum', 'ReduceSum', [integers]],
  ['ReduceMax', 'ReduceMax', [integers, int64([0])]],
  ['ReduceMin', 'ReduceMin', [integers, int64([-1])], { keepdims: 0 }],
  ['ReduceMean', 'ReduceMean', [numbers, int64([0])]],
  ['ConstantOfShape', 'ConstantOfShape', [int64([2, 3])], { value: tensorAttribute(int64([7])) }],
  ['ConstantOfShape by default', 'ConstantOfShape', [int64([2])]],
  ['Range', 'Range', [int64Scalar(7), int64Scalar(-2), int64Scalar(-3)]],
  ['NonZero', 'NonZero', [integers]],
  ['OneHot', 'OneHot', [int64([1, -1, 0]), int64Scalar(3), float32([0, 2])], { axis: 0 }],
  ['ScatterND', 'ScatterND', [integers, int64([[1, 0]].flat(), [1, 2]), int64([99])]],
  ['Trilu', 'Trilu', [integers, int64Scalar(1)], { upper: 0 }],
];

describe('a folded value is what the engine computes', () => {
  const named = cases.map(([name, op, inputs, attributes = {}, outputCount = 1]) => ({
    name,
    op,
    inputs,
    attributes,
    outputCount,
  }));
  it.each(named)('$name', async ({ op, inputs, attributes, outputCount }) => {
    const b = new GraphBuilder('folded');
    const names = inputs.map((value, i) => (value === '' ? '' : b.initializer(`in${i}`, value)));
    for (const output of b.ops(op, names, attributes, { outputCount })) b.output(output);
    const graph = b.build();
    const expected = await run(writeModel({ graph }), {});
    const folded = foldConstants(graph, { keep: new Set() });
    expect(folded.nodes).toEqual([]);
    for (const { name } of graph.outputs)
      expect(relativeError(folded.initializers.get(name)!, expected[name]!), name).toBeLessThanOrEqual(1e-7);
  });
});

function built(make: (b: GraphBuilder) => void): Graph {
  const b = new GraphBuilder('test');
  make(b);
  return b.build();
}

const opTypes = (graph: Graph): string[] => graph.nodes.map((node) => node.opType);

/** Average pooling by 2 over `side` rows. */
function pool(side: number): Graph {
  return built((b) => {
    const x = b.input('x', 'float32', [1, 2, side, 8]);
    b.output(b.op('AveragePool', [x], { kernel_shape: [2, 2], strides: [2, 2], ceil_mode: 1 }), 'y');
  });
}

describe('foldConstants', () => {
  it('knows one side of a shape though another is open', () => {
    const graph = built((b) => {
      const x = b.input('x', 'float32', ['N', 3, 'H', 8]);
      const width = b.op('Gather', [b.op('Shape', [x]), b.int(3)], { axis: 0 });
      b.output(b.op('Mul', [width, b.int(2)]), 'doubled');
    });
    const folded = foldConstants(graph);
    expect(folded.nodes).toEqual([]);
    expect(Number(folded.initializers.get('doubled')!.data[0])).toBe(16);
  });

  it('carries open sides by name through the chain that makes a shape', () => {
    const graph = built((b) => {
      const x = b.input('x', 'float32', ['N', 3, 4, 5]);
      const n = b.op('Slice', [b.op('Shape', [x]), b.int([0]), b.int([1])]);
      b.output(b.op('Reshape', [x, b.op('Concat', [n, b.int([12, 5])], { axis: 0 })]), 'y');
    });
    expect(foldConstants(graph).outputs[0]!.type.shape).toEqual(['N', 12, 5]);
  });

  it('leaves what is computed from a kept parameter, and folds it where nothing is kept', () => {
    const graph = built((b) => {
      const w = b.initializer('w', float32([1, 2, 3, 4], [2, 2]));
      b.output(b.op('MatMul', [b.input('x', 'float32', [1, 2]), b.op('Transpose', [w])]), 'y');
    });
    expect(opTypes(foldConstants(graph))).toEqual(['Transpose', 'MatMul']);
    expect(opTypes(foldConstants(graph, { keep: new Set() }))).toEqual(['MatMul']);
  });

  it('leaves out what hands its input on', () => {
    const graph = built((b) => {
      let x = b.input('x', 'float32', ['N', 4]);
      x = b.op('Identity', [x]);
      x = b.op('Dropout', [x, b.float(0.5)]);
      x = b.op('Cast', [x], { to: 1 });
      x = b.op('Pad', [x, b.int([0, 0, 0, 0])]);
      x = b.op('Reshape', [x, b.int([0, 4])]);
      x = b.op('Slice', [x, b.int([0]), b.int([9]), b.int([1])]);
      b.output(b.op('Relu', [x]), 'y');
    });
    const folded = foldConstants(graph);
    expect(folded.nodes.map((node) => [node.opType, ...node.inputs])).toEqual([['Relu', 'x']]);
    expect(folded.outputs[0]!.name).toBe('y');
    expect(folded.nodes[0]!.outputs).toEqual(['y']);
  });

  it('keeps dropout in training, a slice that reverses, and a pad', () => {
    const graph = built((b) => {
      let x = b.input('x', 'float32', [2, 4]);
      x = b.op('Dropout', [x, b.float(0.5), b.constant(bool([1], []))]);
      x = b.op('Slice', [x, b.int([-1]), b.int([-9]), b.int([1]), b.int([-1])]);
      b.output(b.op('Pad', [x, b.int([0, 1, 0, 0])]), 'y');
    });
    expect(opTypes(foldConstants(graph)).filter((op) => op !== 'Identity')).toEqual(['Dropout', 'Slice', 'Pad']);
  });

  it('keeps the names of outputs, also of one that is an input, and of two that are one value', () => {
    const graph = built((b) => {
      const x = b.input('x', 'float32', [2]);
      const y = b.op('Relu', [x]);
      b.output(x, 'same');
      b.output(y, 'first');
      b.output(y, 'second');
    });
    const folded = foldConstants(graph);
    expect(folded.outputs.map(({ name }) => name)).toEqual(['same', 'first', 'second']);
    expect(folded.nodes.map((node) => [node.opType, node.inputs[0], node.outputs[0]])).toEqual([
      ['Relu', 'x', 'first'],
      ['Identity', 'x', 'same'],
      ['Identity', 'first', 'second'],
    ]);
  });

  it('does not make values larger than asked', () => {
    const graph = built((b) => {
      const zeros = b.op('ConstantOfShape', [b.int([100, 100])]);
      b.output(b.op('Add', [b.input('x', 'float32', [100, 100]), zeros]), 'y');
    });
    expect(opTypes(foldConstants(graph, { maxElements: 9_999 }))).toContain('ConstantOfShape');
    expect(opTypes(foldConstants(graph, { maxElements: 10_000 }))).not.toContain('ConstantOfShape');
  });

  it('drops ceil_mode where windows fill the input, and only there', () => {
    expect(foldConstants(pool(8)).nodes[0]!.attributes).not.toHaveProperty('ceil_mode');
    expect(foldConstants(pool(7)).nodes[0]!.attributes).toHaveProperty('ceil_mode');
  });

  it('leaves an integer division by zero to the engine', () => {
    const graph = built((b) => b.output(b.op('Div', [b.int(1), b.int(0)]), 'y'));
    expect(opTypes(foldConstants(graph))).toContain('Div');
  });

  it('names the node where shapes do not fit once they are known', () => {
    const graph = built((b) => {
      const [x, z] = [b.input('x', 'float32', [2, 'A']), b.input('z', 'float32', [2, 'B'])];
      b.output(b.op('Add', [x, z], { extra: float(0) }, { name: 'sum' }), 'y');
    });
    const inputs = graph.inputs.map((input, i) => ({ ...input, type: { ...input.type, shape: [2, i + 3] } }));
    expect(() => foldConstants({ ...graph, inputs })).toThrow(/sum \(Add\).*\[2,3\] and \[2,4\]/);
  });
});
