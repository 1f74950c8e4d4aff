import { describe, expect, it } from 'vitest';
import { gradient } from '../../src/autodiff/gradient.ts';
import { trainableParameters } from '../../src/autodiff/parameters.ts';
import { prepare, type BatchNormMode } from '../../src/autodiff/prepare.ts';
import { randomStream } from '../../src/core/random.ts';
import { float32, float32Scalar, fromNumbers, sizeOf, toNumbers, type Tensor } from '../../src/core/tensor.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { float, type Graph } from '../../src/onnx/graph.ts';
import { evaluate } from '../reference/interpreter.ts';

const SHAPE = [3, 2, 5, 5];
const stream = randomStream('prepare');
const normal = (shape: readonly number[]): Tensor =>
  fromNumbers(
    'float32',
    shape,
    Array.from({ length: sizeOf(shape) }, () => stream.normal()),
  );

/** conv -> norm -> relu -> norm2 -> conv2 -> norm3: the first is foldable, the second not, the third shares nothing. */
function net(options: { training?: number; bias?: boolean } = {}): Graph {
  const b = new GraphBuilder('net');
  const x = b.input('x', 'float32', SHAPE);
  b.initializer('w', normal([4, 2, 3, 3]));
  if (options.bias) b.initializer('b', normal([4]));
  const attributes = { epsilon: float(1e-3), momentum: float(0.8), training_mode: options.training ?? 0 };
  const norm = (input: string, name: string, channels: number): string => {
    b.initializer(`${name}.scale`, normal([channels]));
    b.initializer(`${name}.bias`, normal([channels]));
    b.initializer(`${name}.mean`, normal([channels]));
    b.initializer(`${name}.var`, float32(Array.from({ length: channels }, () => 0.5 + stream.uniform())));
    const inputs = [input, ...['scale', 'bias', 'mean', 'var'].map((part) => `${name}.${part}`)];
    return b.op('BatchNormalization', inputs, attributes, { name });
  };
  const conv = b.op('Conv', [x, 'w', ...(options.bias ? ['b'] : [])], { kernel_shape: [3, 3] }, { name: 'conv' });
  const y = norm(b.op('Relu', [norm(conv, 'norm1', 4)]), 'norm2', 4);
  b.output(y, 'features');
  b.output(b.op('ReduceSum', [b.op('Tanh', ['features'])], { keepdims: 0 }), 'loss');
  return b.build();
}

const feeds = new Map([['x', normal(SHAPE)]]);
const opTypes = (graph: Graph): string[] => graph.nodes.map((node) => node.opType);

function close(a: Tensor, b: Tensor, tolerance = 1e-6): void {
  const [left, right] = [toNumbers(a), toNumbers(b)];
  expect(left).toHaveLength(right.length);
  for (const [i, value] of left.entries())
    expect(Math.abs(value - right[i]!)).toBeLessThan(tolerance * (1 + Math.abs(value)));
}

describe('prepare: frozen batch norm', () => {
  it.each([false, true])('folds into the convolution (bias: %s) with the same loss and gradients', (bias) => {
    const graph = net({ bias });
    const parameters = trainableParameters(graph, 'loss');
    const before = gradient(graph, 'loss', parameters);
    const { graph: prepared, bufferUpdates } = prepare(graph, { batchNorm: 'frozen' });
    expect(bufferUpdates.size).toBe(0);
    expect(opTypes(prepared)).not.toContain('BatchNormalization');
    const after = gradient(prepared, 'loss', parameters);
    const [a, b] = [evaluate(before.graph, feeds), evaluate(after.graph, feeds)];
    for (const name of ['features', 'loss', ...parameters.map((p) => `${p}_grad`)]) close(a.get(name)!, b.get(name)!);
  });

  it('touches the image-sized tensors once: the norm behind a convolution is gone, the other one scale and shift', () => {
    const { graph } = prepare(net(), { batchNorm: 'frozen' });
    const large = graph.nodes.filter((node) => sizeOf(graph.types.get(node.outputs[0]!)!.shape as number[]) > 100);
    expect(large.map((node) => node.opType)).toEqual(['Conv', 'Relu', 'Mul', 'Add', 'Identity', 'Tanh']);
    expect(graph.nodes.find((node) => node.opType === 'Conv')!.outputs).toEqual(['norm1']);
  });

  it('normalises by the running statistics also where the file says training', () => {
    const graph = net({ training: 1 });
    const frozen = evaluate(prepare(graph, { batchNorm: 'frozen' }).graph, feeds);
    close(frozen.get('loss')!, evaluate(graph, feeds).get('loss')!);
  });

  it('does not fold where another node reads the convolution', () => {
    const b = new GraphBuilder('shared');
    const x = b.input('x', 'float32', SHAPE);
    b.initializer('w', normal([4, 2, 3, 3]));
    for (const name of ['scale', 'bias', 'mean', 'var']) b.initializer(name, float32([1, 2, 3, 4]));
    const conv = b.op('Conv', [x, 'w'], { kernel_shape: [3, 3] });
    b.output(b.op('Add', [b.op('BatchNormalization', [conv, 'scale', 'bias', 'mean', 'var']), conv]), 'y');
    const { graph } = prepare(b.build(), { batchNorm: 'frozen' });
    close(evaluate(graph, feeds).get('y')!, evaluate(b.build(), feeds).get('y')!);
  });
});

const freezeFirst = (node: { name: string }): BatchNormMode => (node.name === 'norm1' ? 'frozen' : 'batch');

describe('prepare: batch statistics', () => {
  it.each([
    ['unbiased', 75 / 74],
    ['biased', 1],
  ] as const)('moves the running statistics, the %s variance', (runningVariance, factor) => {
    const b = new GraphBuilder('one');
    b.input('x', 'float32', SHAPE);
    for (const [name, values] of Object.entries({ scale: [1.5, 2], bias: [0.1, 0.2], mean: [1, -1], var: [2, 3] }))
      b.initializer(name, float32(values));
    b.output(
      b.op('BatchNormalization', ['x', 'scale', 'bias', 'mean', 'var'], { momentum: float(0.75), training_mode: 1 }),
      'y',
    );
    const { graph, bufferUpdates } = prepare(b.build(), { runningVariance });
    expect([...bufferUpdates]).toEqual([
      ['mean', 'mean_updated'],
      ['var', 'var_updated'],
    ]);
    const values = evaluate(graph, feeds);
    const x = toNumbers(feeds.get('x')!);
    for (const channel of [0, 1]) {
      const own = x.filter((_, i) => Math.floor(i / 25) % 2 === channel);
      const mean = own.reduce((sum, v) => sum + v, 0) / 75;
      const variance = own.reduce((sum, v) => sum + (v - mean) ** 2, 0) / 75;
      const old = { mean: [1, -1][channel]!, variance: [2, 3][channel]! };
      expect(toNumbers(values.get('mean_updated')!)[channel]).toBeCloseTo(0.75 * old.mean + 0.25 * mean, 6);
      expect(toNumbers(values.get('var_updated')!)[channel]).toBeCloseTo(
        0.75 * old.variance + 0.25 * variance * factor,
        6,
      );
      const first = (own[0]! - mean) / Math.sqrt(variance + 1e-5);
      expect(toNumbers(values.get('y')!)[channel * 25]).toBeCloseTo(
        [1.5, 2][channel]! * first + [0.1, 0.2][channel]!,
        6,
      );
    }
  });

  it('takes a mode for each node: the statistics of a frozen layer do not move', () => {
    const { graph, bufferUpdates } = prepare(net(), { batchNorm: freezeFirst });
    expect([...bufferUpdates.keys()]).toEqual(['norm2.mean', 'norm2.var']);
    expect(graph.outputs.map((output) => output.name)).toEqual([
      'features',
      'loss',
      'norm2.mean_updated',
      'norm2.var_updated',
    ]);
    const full = gradient(graph, 'loss', ['w']).graph;
    expect(evaluate(full, feeds).get('norm2.var_updated')!.shape).toEqual([4]);
  });

  it('leaves an inference node as it is by default, and follows training_mode', () => {
    expect(opTypes(prepare(net()).graph).filter((op) => op === 'BatchNormalization')).toHaveLength(2);
    const training = opTypes(prepare(net({ training: 1 })).graph);
    expect(training.filter((op) => op === 'BatchNormTraining')).toHaveLength(2);
  });

  it('updates a buffer that two nodes share once after the other', () => {
    const b = new GraphBuilder('shared');
    const x = b.input('x', 'float32', SHAPE);
    for (const name of ['scale', 'bias', 'mean', 'var']) b.initializer(name, float32([1, 2]));
    const once = b.op('BatchNormalization', [x, 'scale', 'bias', 'mean', 'var'], { momentum: float(0.5) });
    b.output(b.op('BatchNormalization', [once, 'scale', 'bias', 'mean', 'var'], { momentum: float(0.5) }), 'y');
    const { graph, bufferUpdates } = prepare(b.build(), { batchNorm: 'batch' });
    // The second batch has mean `bias`: 0.5 (0.5 mean + 0.5 batch) + 0.5 bias.
    const x0 = toNumbers(feeds.get('x')!).filter((_, i) => Math.floor(i / 25) % 2 === 0);
    const batch = x0.reduce((sum, v) => sum + v, 0) / 75;
    const moved = toNumbers(evaluate(graph, feeds).get(bufferUpdates.get('mean')!)!);
    expect(moved[0]).toBeCloseTo(0.5 * (0.5 + 0.5 * batch) + 0.5, 6);
  });

  it('keeps weight standardisation in every mode, without running statistics', () => {
    const b = new GraphBuilder('standardised');
    b.input('x', 'float32', SHAPE);
    b.initializer('w', normal([1, 4, 18]));
    for (const name of ['scale', 'bias', 'mean', 'var']) b.initializer(name, float32([1, 1, 1, 1]));
    const inputs = ['w', 'scale', 'bias', 'mean', 'var'];
    const weight = b.op('BatchNormalization', inputs, { training_mode: 1, momentum: float(1) });
    b.output(b.op('Conv', ['x', b.op('Reshape', [weight, b.int([4, 2, 3, 3])])], { kernel_shape: [3, 3] }), 'y');
    for (const batchNorm of ['frozen', 'batch', 'as-is'] as const) {
      const { graph, bufferUpdates } = prepare(b.build(), { batchNorm });
      expect(opTypes(graph)).toContain('BatchNormTraining');
      expect(bufferUpdates.size).toBe(0);
    }
  });

  it.each([0, 1])(
    'passes gradients through statistics that the graph computes, in every mode (training_mode %i)',
    (training) => {
      const b = new GraphBuilder('computed');
      b.input('x', 'float32', SHAPE);
      for (const name of ['scale', 'bias']) b.initializer(name, float32([1.5, 0.5]));
      const [axes, once] = [b.int([0, 2, 3]), { keepdims: 0 }];
      const centered = b.op('Sub', ['x', b.op('ReduceMean', ['x', axes], { keepdims: 1 })]);
      const variance = b.op('ReduceMean', [b.op('Mul', [centered, centered]), axes], once);
      const mean = b.op('ReduceMean', ['x', axes], once);
      const y = b.op('BatchNormalization', ['x', 'scale', 'bias', mean, variance], { training_mode: training });
      b.output(b.op('ReduceSum', [b.op('Mul', [y, b.op('Mul', [y, y])])], { keepdims: 0 }), 'loss');
      const prepared = (['frozen', 'batch', 'as-is'] as const).map((batchNorm) => prepare(b.build(), { batchNorm }));
      for (const { bufferUpdates } of prepared) expect(bufferUpdates.size).toBe(0);
      for (const graph of [...(training ? [] : [b.build()]), ...prepared.map((one) => one.graph)]) {
        const { graph: step, gradients } = gradient(graph, 'loss', ['x', 'scale']);
        const values = evaluate(step, feeds);
        // Moving all of a channel, or stretching it, changes nothing: its gradient has no such part.
        const dx = toNumbers(values.get(gradients.get('x')!)!);
        const x = toNumbers(feeds.get('x')!);
        const channel = (i: number): number => Math.floor(i / 25) % 2;
        for (const k of [0, 1]) {
          const own = dx.map((d, i) => (channel(i) === k ? d : 0));
          const size = Math.sqrt(own.reduce((sum, d) => sum + d * d, 0));
          expect(size).toBeGreaterThan(0.1);
          expect(Math.abs(own.reduce((sum, d) => sum + d, 0))).toBeLessThan(1e-4 * size);
          expect(Math.abs(own.reduce((sum, d, i) => sum + d * x[i]!, 0))).toBeLessThan(1e-3 * size);
        }
      }
    },
  );

  it('refuses a batch of one value a channel', () => {
    const b = new GraphBuilder('single');
    b.input('x', 'float32', [1, 2, 1, 1]);
    for (const name of ['scale', 'bias', 'mean', 'var']) b.initializer(name, float32([1, 2]));
    b.output(b.op('BatchNormalization', ['x', 'scale', 'bias', 'mean', 'var'], {}, { name: 'norm' }), 'y');
    expect(() => prepare(b.build(), { batchNorm: 'batch' })).toThrow(
      /norm \(BatchNormalization\).*more than one value/,
    );
  });
});

describe('prepare: padding', () => {
  it('moves zeros around an image into the convolution that reads it, and only those', () => {
    const b = new GraphBuilder('padded');
    const x = b.input('x', 'float32', SHAPE);
    b.initializer('w', normal([4, 2, 3, 3]));
    const attributes = { kernel_shape: [3, 3], pads: [1, 0, 0, 0] };
    const pad = (pads: number[], value?: number): string =>
      b.op('Pad', [x, b.int(pads), value === undefined ? '' : b.constant(float32Scalar(value))], { mode: 'constant' });
    const zeros = pad([0, 0, 0, 1, 0, 0, 2, 1]);
    b.output(b.op('Conv', [zeros, 'w'], attributes), 'zeros');
    b.output(b.op('Conv', [pad([0, 0, 0, 1, 0, 0, 2, 1], 1), 'w'], attributes), 'ones');
    const { graph } = prepare(b.build());
    expect(opTypes(graph).filter((op) => op === 'Pad')).toHaveLength(1);
    const [before, after] = [evaluate(b.build(), feeds), evaluate(graph, feeds)];
    for (const name of ['zeros', 'ones']) close(before.get(name)!, after.get(name)!);
  });
});

function dropout(training: boolean, rate = 0.25): Graph {
  const b = new GraphBuilder('dropout');
  const x = b.input('x', 'float32', [2, 3]);
  const on = b.constant({ dtype: 'bool', shape: [], data: Uint8Array.of(training ? 1 : 0) });
  const dropped = b.op('Dropout', [b.op('Tanh', [x]), b.constant(float32Scalar(rate)), on], {}, { name: 'drop' });
  b.output(b.op('Neg', [dropped]), 'y');
  return b.build();
}

describe('prepare: dropout', () => {
  it('becomes a product with a graph input', () => {
    const { graph, masks } = prepare(dropout(true));
    expect(masks).toEqual([{ input: 'drop_mask', shape: [2, 3], rate: 0.25 }]);
    const x = float32([1, 2, 3, 4, 5, 6], [2, 3]);
    const mask = float32([0, 4 / 3, 0, 0, 0, 4 / 3], [2, 3]);
    const y = toNumbers(
      evaluate(
        graph,
        new Map([
          ['x', x],
          ['drop_mask', mask],
        ]),
      ).get('y')!,
    );
    expect(y[1]).toBeCloseTo((-4 / 3) * Math.tanh(2), 6);
    expect(y[2]).toBeCloseTo(0, 12);
    expect(gradient(graph, 'y', ['x'], { seed: 'drop_mask' }).gradients.get('x')).toBe('x_grad');
  });

  it('is gone where it is removed, does not drop, or its rate is 0', () => {
    for (const { graph, masks } of [
      prepare(dropout(true), { dropout: 'remove' }),
      prepare(dropout(false)),
      prepare(dropout(true, 0)),
    ]) {
      expect(opTypes(graph)).toEqual(['Tanh', 'Neg', 'Identity']);
      expect(masks).toEqual([]);
    }
    expect(prepare(dropout(false), { dropout: 'mask' }).masks).toHaveLength(1);
  });
});

describe('trainableParameters', () => {
  it('lists weights, not running statistics, bounds, sizes or what the loss does not depend on', () => {
    const b = new GraphBuilder('net');
    const x = b.input('x', 'float32', SHAPE);
    for (const name of ['scale', 'bias', 'mean', 'var']) b.initializer(name, float32([1, 2]));
    b.initializer('scales', float32([1, 1, 2, 2]));
    b.initializer('factor', float32Scalar(3));
    b.initializer('head', float32([1, 2], [1, 2, 1, 1]));
    b.initializer('unused', float32([1]));
    b.initializer('stepped', float32([1]));
    const y = b.op('BatchNormalization', [x, 'scale', 'bias', 'mean', 'var']);
    const large = b.op('Resize', [b.op('Mul', [y, 'factor']), '', 'scales'], { mode: 'linear' });
    const z = b.op('Add', [b.op('Mul', [large, 'head']), b.op('Floor', ['stepped'])]);
    b.output(b.op('ReduceMean', [z], { keepdims: 0 }), 'loss');
    expect(trainableParameters(b.build(), 'loss')).toEqual(['scale', 'bias', 'head']);
  });
});
