import { describe, expect, it } from 'vitest';
import { gradient } from '../../src/autodiff/gradient.ts';
import { isDifferentiable } from '../../src/autodiff/rules/table.ts';
import { ModelError } from '../../src/core/errors.ts';
import { float32, int64, toNumbers, type Tensor } from '../../src/core/tensor.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { GRADIENT_DOMAIN, type Graph } from '../../src/onnx/graph.ts';
import { evaluate } from '../reference/interpreter.ts';

const opTypes = (graph: Graph): string[] => graph.nodes.map((node) => node.opType);
const valuesOf = (graph: Graph, feeds: Record<string, Tensor>): Record<string, number[]> =>
  Object.fromEntries(
    [...evaluate(graph, new Map(Object.entries(feeds)))].map(([name, value]) => [name, toNumbers(value)]),
  );

const trainable = (opType: string, domain = ''): boolean => isDifferentiable({ opType, domain });

/** loss = Σ (x² + x) */
function square(): Graph {
  const b = new GraphBuilder('square');
  const x = b.input('x', 'float32', [3]);
  const y = b.op('Add', [b.op('Mul', [x, x], {}, { name: 'product' }), x], {}, { name: 'sum' });
  b.output(b.op('ReduceSum', [y], { keepdims: 0 }), 'loss');
  return b.build();
}

/** Two convolutions, a mean over the image and a sum. */
function twoConvolutions(): Graph {
  const b = new GraphBuilder('net');
  const x = b.input('x', 'float32', [1, 2, 4, 4]);
  for (const name of ['w1', 'w2'])
    b.initializer(
      name,
      float32(
        Array.from({ length: 36 }, (_, i) => Math.sin(i + name.length)),
        [2, 2, 3, 3],
      ),
    );
  const first = b.op(
    'Relu',
    [b.op('Conv', [x, 'w1'], { kernel_shape: [3, 3] }, { name: 'stem' })],
    {},
    { name: 'relu' },
  );
  const second = b.op('Conv', [first, 'w2'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }, { name: 'block' });
  b.output(b.op('ReduceSum', [b.op('Tanh', [second])], { keepdims: 0 }), 'loss');
  return b.build();
}

describe('gradient', () => {
  it('adds up what every use of a tensor contributes', () => {
    const { graph, gradients } = gradient(square(), 'loss', ['x']);
    expect(valuesOf(graph, { x: float32([1, -2, 3]) })[gradients.get('x')!]).toEqual([3, -3, 7]);
  });

  it('names gradients and their nodes after what they belong to', () => {
    const { graph, gradients } = gradient(twoConvolutions(), 'loss', ['w1', 'w2']);
    expect([...gradients]).toEqual([
      ['w1', 'w1_grad'],
      ['w2', 'w2_grad'],
    ]);
    expect(graph.outputs.map((output) => output.name)).toEqual(['loss', 'w1_grad', 'w2_grad']);
    expect(graph.outputs[1]!.type).toEqual({ dtype: 'float32', shape: [2, 2, 3, 3] });
    const weight = graph.nodes.find((node) => node.outputs.includes('w2_grad'))!;
    expect(weight.name).toBe('block_Grad/ConvGradWeight');
    expect(graph.nodes.find((node) => node.opType === 'ReluGrad')!.outputs).toEqual(['stem_grad']);
  });

  it('computes no gradient that nothing asks for: none of the data, none before a frozen prefix', () => {
    const both = gradient(twoConvolutions(), 'loss', ['w1', 'w2']).graph;
    expect(opTypes(both).filter((op) => op === 'ConvGradInput')).toHaveLength(1);
    const last = opTypes(gradient(twoConvolutions(), 'loss', ['w2']).graph);
    expect(last).not.toContain('ConvGradInput');
    expect(last).not.toContain('ReluGrad');
    expect(last.filter((op) => op === 'ConvGradWeight')).toHaveLength(1);
  });

  it('differentiates by values in between and by the data', () => {
    const { graph } = gradient(twoConvolutions(), 'loss', ['relu', 'x']);
    expect(graph.outputs.map((output) => output.name)).toEqual(['loss', 'relu_grad', 'x_grad']);
  });

  it('gives every tensor asked for a value of its own, also where two gradients are equal', () => {
    const b = new GraphBuilder('sum');
    const [x, y] = [b.input('x', 'float32', [2]), b.input('y', 'float32', [2])];
    b.output(b.op('ReduceSum', [b.op('Add', [x, y])], { keepdims: 0 }), 'loss');
    const { graph, gradients } = gradient(b.build(), 'loss', ['x', 'y']);
    expect([...gradients.values()]).toEqual(['x_grad', 'y_grad']);
    expect(valuesOf(graph, { x: float32([1, 2]), y: float32([3, 4]) })).toEqual({
      loss: [10],
      x_grad: [1, 1],
      y_grad: [1, 1],
    });
  });

  it('gives zeros where the loss does not depend on a tensor, or only through a step', () => {
    const b = new GraphBuilder('steps');
    const [x, y, z] = ['x', 'y', 'z'].map((name) => b.input(name, 'float32', [2])) as [string, string, string];
    b.output(b.op('ReduceSum', [b.op('Mul', [x, b.op('Floor', [y])])], { keepdims: 0 }), 'loss');
    const { graph } = gradient(b.build(), 'loss', [x, y, z]);
    const values = valuesOf(graph, { x: float32([1, 2]), y: float32([3.5, -4.5]), z: float32([0, 0]) });
    expect(values).toMatchObject({ x_grad: [3, -5], y_grad: [0, 0], z_grad: [0, 0] });
  });

  it('starts from a seed where the loss holds several elements', () => {
    const b = new GraphBuilder('seeded');
    const x = b.input('x', 'float32', [3]);
    b.input('seed', 'float32', [3]);
    b.output(b.op('Mul', [x, x]), 'y');
    const { graph } = gradient(b.build(), 'y', ['x'], { seed: 'seed' });
    const values = valuesOf(graph, { x: float32([1, 2, 3]), seed: float32([1, 0, -1]) });
    expect(values['x_grad']).toEqual([2, 0, -6]);
  });

  it('sums over all but the channels by one op, without writing the product', () => {
    const b = new GraphBuilder('channels');
    const x = b.input('x', 'float32', [2, 3, 4, 4]);
    b.initializer('scale', float32([1, 2, 3], [3, 1, 1]));
    b.initializer('shift', float32([1, 2, 3], [1, 3, 1, 1]));
    const y = b.op('Add', [b.op('Mul', [x, 'scale']), 'shift']);
    b.output(b.op('ReduceSum', [b.op('Tanh', [y])], { keepdims: 0 }), 'loss');
    const { graph } = gradient(b.build(), 'loss', ['scale', 'shift']);
    const backward = graph.nodes.filter((node) => node.name.includes('_Grad'));
    expect(backward.filter((node) => node.domain === GRADIENT_DOMAIN).map((node) => node.opType)).toEqual([
      'ChannelSum',
      'ChannelDot',
    ]);
    expect(backward.filter((node) => node.opType === 'ReduceSum')).toHaveLength(0);
  });

  it('keeps the mean and inverse deviation of a layer normalisation for its gradient', () => {
    const b = new GraphBuilder('norm');
    b.initializer('scale', float32([1, 2, 3]));
    const x = b.input('x', 'float32', [2, 3]);
    const y = b.op('LayerNormalization', [x, 'scale'], {}, { name: 'norm' });
    b.output(b.op('ReduceSum', [b.op('Tanh', [y])], { keepdims: 0 }), 'loss');
    const { graph } = gradient(b.build(), 'loss', ['scale']);
    const norm = graph.nodes.find((node) => node.name === 'norm')!;
    expect(norm.outputs).toHaveLength(3);
    expect(graph.types.get(norm.outputs[1]!)).toEqual({ dtype: 'float32', shape: [2, 1] });
  });

  it('names op, node and the way out where there is no rule', () => {
    const b = new GraphBuilder('refused');
    b.initializer('w', float32([0.5, 2]));
    const x = b.input('x', 'float32', [1, 1, 4, 4]);
    const y = b.op('Det', [b.op('Mul', [x, b.op('ReduceSum', ['w'], { keepdims: 0 })])], {}, { name: 'det' });
    b.output(b.op('ReduceSum', [y], { keepdims: 0 }), 'loss');
    const graph = b.build();
    expect(() => gradient(graph, 'loss', ['w'])).toThrow(ModelError);
    expect(() => gradient(graph, 'loss', ['w'])).toThrow(/det \(Det\) can not be trained through.*--train/);
  });

  it('does not mind an op without a rule that lies before everything trained', () => {
    const b = new GraphBuilder('prefix');
    b.initializer('w', float32([0.5]));
    const x = b.input('x', 'float32', [1, 3, 3]);
    b.output(b.op('ReduceSum', [b.op('Mul', [b.op('Det', [x]), 'w'])], { keepdims: 0 }), 'loss');
    expect(gradient(b.build(), 'loss', ['w']).gradients.get('w')).toBe('w_grad');
  });

  it('says what is wrong with a name or a loss', () => {
    expect(() => gradient(twoConvolutions(), 'loss', ['w3'])).toThrow('has no value "w3" (did you mean "w1"?)');
    expect(() => gradient(twoConvolutions(), 'block', ['w1'])).toThrow(
      'The loss "block" must hold one element to be differentiated without a seed, got shape [1,2,2,2].',
    );
  });

  it('refuses a Dropout that drops and a BatchNormalization on batch statistics, pointing at prepare', () => {
    const b = new GraphBuilder('dropout');
    const x = b.input('x', 'float32', [2, 3]);
    const on = b.constant({ dtype: 'bool', shape: [], data: Uint8Array.of(1) });
    b.output(b.op('ReduceSum', [b.op('Dropout', [x, b.float(0.5), on])], { keepdims: 0 }), 'loss');
    expect(() => gradient(b.build(), 'loss', ['x'])).toThrow('prepare the graph with dropout');
  });

  it('lets no gradient pass a value that counts as a constant', () => {
    // d/dx of Σ x c with c = x² taken as a constant is c.
    const b = new GraphBuilder('constant');
    const x = b.input('x', 'float32', [3]);
    const c = b.op('Mul', [x, x]);
    b.output(b.op('ReduceSum', [b.op('Mul', [x, c])], { keepdims: 0 }), 'loss');
    const { graph, gradients } = gradient(b.build(), 'loss', ['x'], { constants: [c] });
    expect(valuesOf(graph, { x: float32([1, -2, 3]) })[gradients.get('x')!]).toEqual([1, 4, 9]);
    expect(() => gradient(b.build(), 'loss', ['x'], { constants: ['other'] })).toThrow('has no value "other"');
  });

  it('says which output of a decomposed op it does not make', () => {
    const b = new GraphBuilder('scores');
    const [q, k] = [b.input('q', 'float32', [1, 2, 3, 4]), b.input('k', 'float32', [1, 2, 3, 4])];
    const outputs = ['y', '', '', 'scores'];
    b.ops('Attention', [q, k, k], { qk_matmul_output_mode: 0 }, { name: 'attend', outputs });
    b.output(b.op('ReduceSum', ['y'], { keepdims: 0 }), 'loss');
    b.output('scores');
    expect(() => gradient(b.build(), 'loss', ['q'])).toThrow(/attend \(Attention\).*output 3 \("scores"\)/);
  });

  it('says which shape it must know before the run', () => {
    const b = new GraphBuilder('slice');
    const x = b.input('x', 'float32', [4]);
    const start = b.input('start', 'int64', [1]);
    const y = b.op('Slice', [x, start, b.constant(int64([4]))], {}, { name: 'cut' });
    b.output(b.op('ReduceSum', [y], { keepdims: 0 }), 'loss');
    expect(() => gradient(b.build(), 'loss', ['x'])).toThrow('The shape of "cut" must be known');
  });

  it('knows which ops can be trained through', () => {
    expect(['Conv', 'Floor', 'Attention', 'ArgMax'].map((op) => trainable(op))).toEqual([true, true, true, true]);
    expect(['Loop', 'QLinearConv', 'Nonsense'].map((op) => trainable(op))).toEqual([false, false, false]);
    expect([trainable('FusedMatMul', 'com.microsoft'), trainable('Conv', 'com.microsoft.nchwc')]).toEqual([
      true,
      false,
    ]);
  });
});
