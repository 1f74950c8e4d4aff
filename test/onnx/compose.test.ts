import { describe, expect, it } from 'vitest';
import { readFileSync } from 'node:fs';
import { float32, float32Scalar } from '../../src/core/tensor.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { append, extract, rename, withInitializers } from '../../src/onnx/compose.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { readModel } from '../../src/onnx/read.ts';
import { writeModel } from '../../src/onnx/write.ts';
import { run } from './engine.ts';

/** y = x * w + b, with the product as an output too. */
function affine(): Graph {
  const b = new GraphBuilder('affine');
  const x = b.input('x', 'float32', ['N', 2]);
  const product = b.op('Mul', [x, b.initializer('w', float32([2, 3]))], {}, { name: 'product' });
  b.output(product);
  b.output(b.op('Add', [product, b.initializer('b', float32([1, -1]))], {}, { name: 'y' }));
  return b.build();
}

describe('append', () => {
  it('puts a graph in twice, with names of their own', async () => {
    const b = new GraphBuilder('twice');
    const x = b.input('x', 'float32', [1, 2]);
    const first = append(b, affine(), { x }, { prefix: 'first/' });
    const second = append(b, affine(), { x: first['y']! }, { prefix: 'second/' });
    b.output(second['y']!, 'result');
    const graph = b.build();
    expect(first).toEqual({ product: 'first/product', y: 'first/y' });
    expect([...graph.initializers.keys()]).toEqual(['w', 'b', 'w_1', 'b_1']);
    expect(graph.types.get('second/y')!.shape).toEqual([1, 2]);
    const { result } = await run(writeModel({ graph }), { x: float32([1, 1], [1, 2]) });
    expect([...(result!.data as Float32Array)]).toEqual([(1 * 2 + 1) * 2 + 1, (1 * 3 - 1) * 3 - 1]);
  });

  it('numbers names that are taken', () => {
    const b = GraphBuilder.from(affine());
    expect(append(b, affine(), { x: 'x' })).toEqual({ product: 'product_1', y: 'y_1' });
    expect(new Set(b.build().nodes.map((node) => node.name)).size).toBe(4);
  });

  it('renames what bodies read of the graph around them', async () => {
    const bytes = readFileSync(new URL('golden/models/loop.11.onnx', import.meta.url));
    const b = new GraphBuilder('outer');
    const x = b.input('start', 'float32', [4]);
    const outputs = append(b, readModel(bytes).graph, { x }, { prefix: 'p/' });
    b.output(outputs['last']!, 'last');
    const { last } = await run(writeModel({ graph: b.build() }), { start: float32([1, 2, 3, 4]) });
    expect([...(last!.data as Float32Array)]).toEqual([4, 8, 12, 16]);
  });

  it('refuses an input that is not bound', () => {
    const b = new GraphBuilder('none');
    expect(() => append(b, affine(), {})).toThrow(
      /"x" of graph "affine" must be bound to a value of "none", got nothing/,
    );
    expect(() => append(b, affine(), { x: 'z' })).toThrow(/got "z"/);
  });
});

describe('extract', () => {
  it('takes what an output needs', () => {
    const part = extract(affine(), ['product']);
    expect(part.nodes.map((node) => node.name)).toEqual(['product']);
    expect([...part.initializers.keys()]).toEqual(['w']);
    expect(part.inputs.map(({ name }) => name)).toEqual(['x']);
  });

  it('starts at values inside', () => {
    const part = extract(affine(), ['y'], ['product']);
    expect(part.nodes.map((node) => node.name)).toEqual(['y']);
    expect(part.inputs).toEqual([{ name: 'product', type: { dtype: 'float32', shape: ['N', 2] } }]);
  });

  it('refuses values that are not there', () => {
    expect(() => extract(affine(), ['z'])).toThrow(/no value "z"/);
    expect(() => extract(affine(), ['y'], ['z'])).toThrow(/no value "z"/);
  });

  it('refuses a cut that takes away another output of the same node', () => {
    const b = new GraphBuilder('split');
    const [left, right] = b.ops('Split', [b.input('x', 'float32', [4])], { num_outputs: 2 }, { outputCount: 2 });
    b.output(b.op('Add', [left!, right!]), 'y');
    expect(() => extract(b.build(), ['y'], [left!])).toThrow(/"Split:1" can not be computed/);
  });
});

describe('withInitializers', () => {
  it('replaces values and nothing else', () => {
    const graph = withInitializers(affine(), new Map([['w', float32([5, 6])]]));
    expect(graph.initializers.get('w')!.data).toEqual(Float32Array.of(5, 6));
    expect(graph.initializers.get('b')!.data).toEqual(Float32Array.of(1, -1));
  });

  it('refuses another shape and another name', () => {
    expect(() => withInitializers(affine(), new Map([['w', float32([5])]]))).toThrow(
      /float32 \[2\], got float32 \[1\]/,
    );
    expect(() => withInitializers(affine(), new Map([['v', float32Scalar(5)]]))).toThrow(/no initializer "v"/);
  });
});

describe('rename', () => {
  it('renames everywhere', () => {
    const graph = rename(
      affine(),
      new Map([
        ['x', 'image'],
        ['product', 'p'],
        ['w', 'weight'],
      ]),
    );
    expect(graph.inputs[0]!.name).toBe('image');
    expect(graph.outputs.map(({ name }) => name)).toEqual(['p', 'y']);
    expect(graph.nodes.map((node) => [...node.inputs, '->', ...node.outputs])).toEqual([
      ['image', 'weight', '->', 'p'],
      ['p', 'b', '->', 'y'],
    ]);
    expect(graph.types.has('p')).toBe(true);
  });

  it('refuses a clash and an unknown name', () => {
    expect(() => rename(affine(), new Map([['x', 'y']]))).toThrow(/two values/);
    expect(() => rename(affine(), new Map([['q', 'z']]))).toThrow(/no value "q"/);
  });
});
