import { readdirSync, readFileSync } from 'node:fs';
import { fromBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { allocate, float32, sizeOf, tensor, zeros } from '../../src/core/tensor.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { GRADIENT_DOMAIN, INTERNAL_OPSET, NCHWC_DOMAIN, tensorAttribute, type Graph } from '../../src/onnx/graph.ts';
import { ModelProtoSchema, type ModelProto } from '../../src/onnx/proto/onnx_pb.ts';
import { readModel } from '../../src/onnx/read.ts';
import { writeModel } from '../../src/onnx/write.ts';

function built(make: (b: GraphBuilder, x: string) => string): Graph {
  const b = new GraphBuilder('test');
  b.output(make(b, b.input('x', 'float32', ['N', 4, 6, 8])), 'y');
  return b.build();
}

const parsed = (graph: Graph, minimumOpset?: number): ModelProto =>
  fromBinary(ModelProtoSchema, writeModel({ graph, ...(minimumOpset !== undefined && { minimumOpset }) }));
const opsetOf = (graph: Graph): number => Number(parsed(graph).opsetImport[0]!.version);

describe('the opset that is declared', () => {
  // The last column is from ONNX's Changelog.md: where the form that is used came in.
  const cases: readonly [string, number, (b: GraphBuilder, x: string) => string][] = [
    ['Relu', 13, (b, x) => b.op('Relu', [x])],
    ['ReduceMean without axes', 13, (b, x) => b.op('ReduceMean', [x])],
    ['ReduceMean with axes', 18, (b, x) => b.op('ReduceMean', [x, b.int([2, 3])])],
    ['ReduceSum with axes', 13, (b, x) => b.op('ReduceSum', [x, b.int([2, 3])])],
    ['Reshape', 13, (b, x) => b.op('Reshape', [x, b.int([0, -1])])],
    ['Reshape with the default written out', 13, (b, x) => b.op('Reshape', [x, b.int([0, -1])], { allowzero: 0 })],
    ['Reshape that keeps zeros', 14, (b, x) => b.op('Reshape', [x, b.int([4, 48, -1])], { allowzero: 1 })],
    ['BatchNormalization', 13, (b, x) => batchNorm(b, x, 0)],
    ['BatchNormalization in training', 14, (b, x) => batchNorm(b, x, 1)],
    ['HardSwish', 14, (b, x) => b.op('HardSwish', [x])],
    ['LayerNormalization', 17, (b, x) => b.op('LayerNormalization', [x, b.float([1, 1, 1, 1, 1, 1, 1, 1])])],
    ['Gelu', 20, (b, x) => b.op('Gelu', [x])],
    ['AveragePool', 13, (b, x) => b.op('AveragePool', [x], { kernel_shape: [3, 3] })],
    ['AveragePool that rounds up', 19, (b, x) => b.op('AveragePool', [x], { kernel_shape: [3, 3], ceil_mode: 1 })],
    ['Resize', 13, (b, x) => b.op('Resize', [x, '', b.float([1, 1, 2, 2])], { mode: 'linear' })],
    ['Resize with antialias', 18, (b, x) => b.op('Resize', [x, '', b.float([1, 1, 2, 2])], { antialias: 1 })],
    ['Split into equal parts', 18, (b, x) => b.ops('Split', [x], { axis: 1, num_outputs: 2 }, { outputCount: 2 })[0]!],
    ['Pad with axes', 18, (b, x) => b.op('Pad', [x, b.int([1, 1]), '', b.int([2])])],
    ['Pad that wraps', 19, (b, x) => b.op('Pad', [x, b.int([0, 0, 1, 1, 0, 0, 1, 1])], { mode: 'wrap' })],
    ['Cast to int4', 21, (b, x) => b.op('Cast', [x], { to: 22 })],
    ['bfloat16 in Conv', 22, (b) => convInBfloat16(b)],
    [
      'Equal of strings',
      19,
      (b) => b.op('Equal', [b.constant(tensor('string', [1], ['a'])), b.constant(tensor('string', [1], ['b']))]),
    ],
  ];
  it.each(cases)('%s: %i', (_, opset, make) => {
    expect(opsetOf(built(make))).toBe(opset);
  });

  it('is not below the one asked for, and brings its format version', () => {
    const graph = built((b, x) => b.op('Relu', [x]));
    expect(Number(parsed(graph, 21).opsetImport[0]!.version)).toBe(21);
    // ONNX's own table: opset 13 came with format 7, 21 with 10, 26 with 13.
    expect([13, 21, INTERNAL_OPSET].map((opset) => Number(parsed(graph, opset).irVersion))).toEqual([7, 10, 13]);
  });

  it('counts what is inside of bodies', () => {
    const file = readFileSync(new URL('golden/models/if_dynamic.11.onnx', import.meta.url));
    const { graph } = readModel(file);
    expect(opsetOf(graph)).toBe(18);
  });
});

function batchNorm(b: GraphBuilder, x: string, training: number): string {
  const four = [1, 2, 3, 4].map((n) => b.float([n, n, n, n]));
  return b.ops('BatchNormalization', [x, ...four], { training_mode: training }, { outputCount: training ? 3 : 1 })[0]!;
}

function convInBfloat16(b: GraphBuilder): string {
  const data = allocate('bfloat16', sizeOf([1, 1, 3, 3]));
  const weight = b.constant(tensor('bfloat16', [1, 1, 3, 3], data));
  return b.op('Conv', [b.input('h', 'bfloat16', [1, 1, 5, 5]), weight]);
}

describe('writeModel', () => {
  it('gives the same bytes for the same model', () => {
    const graph = built((b, x) => b.op('Relu', [x]));
    expect(Buffer.from(writeModel({ graph })).equals(writeModel({ graph }))).toBe(true);
  });

  it('writes what readModel gives back', () => {
    const folder = new URL('golden/models/', import.meta.url);
    for (const file of readdirSync(folder)) {
      const { graph } = readModel(readFileSync(new URL(file, folder)));
      const metadata = new Map([['key', 'wert ü']]);
      const again = readModel(writeModel({ graph, metadata, producer: 'p', minimumOpset: INTERNAL_OPSET }));
      expect(again.graph, file).toEqual(graph);
      expect(again).toMatchObject({ metadata, producer: 'p', sourceOpset: INTERNAL_OPSET });
    }
  });

  it('says the shapes it knows, leaves open what has no name, and declares foreign domains', () => {
    const graph = built((b, x) => b.op('QuickGelu', [b.op('Relu', [x])], {}, { domain: 'com.microsoft' }));
    const model = parsed(graph);
    expect(model.opsetImport.map(({ domain, version }) => [domain, Number(version)])).toEqual([
      ['', 13],
      ['com.microsoft', 1],
    ]);
    expect(model.graph!.valueInfo.map(({ name }) => name)).toEqual(['Relu', 'QuickGelu']);
    const open = built((b, x) => b.op('NonZero', [x]));
    expect(
      JSON.stringify(parsed(open).graph!.output[0]!.type, (_, v) => (typeof v === 'bigint' ? Number(v) : v)),
    ).not.toContain('?');
  });

  it('refuses abstract operators', () => {
    const graph = built((b, x) => b.op('ReluGrad', [x, x], {}, { domain: GRADIENT_DOMAIN }));
    expect(() => writeModel({ graph })).toThrow(/ReluGrad\) is an abstract operator/);
  });

  it('writes the blocked operators', () => {
    const b = new GraphBuilder('blocked');
    const x = b.input('x', 'float32', [1, 16, 4, 4]);
    b.output(
      b.op(
        'ReorderOutput',
        [b.op('ReorderInput', [x], {}, { domain: NCHWC_DOMAIN })],
        { channels: 16 },
        { domain: NCHWC_DOMAIN },
      ),
      'y',
    );
    expect(parsed(b.build()).opsetImport.map(({ domain }) => domain)).toEqual(['', NCHWC_DOMAIN]);
  });

  it('keeps tensors in attributes', () => {
    const graph = built((b, x) =>
      b.op('Add', [x, b.op('ConstantOfShape', [b.int([8])], { value: tensorAttribute(float32([2])) })]),
    );
    expect(readModel(writeModel({ graph })).graph.nodes[0]!.attributes['value']).toEqual(tensorAttribute(float32([2])));
  });

  it('writes 50 MB in well under a second', () => {
    const b = new GraphBuilder('large');
    const x = b.input('x', 'float32', [1, 2500]);
    b.output(b.op('MatMul', [x, b.initializer('w', zeros('float32', [2500, 5000]))]), 'y');
    const graph = b.build();
    const start = process.cpuUsage();
    expect(writeModel({ graph }).length).toBeGreaterThan(50_000_000);
    // Processor time, so that a busy machine does not fail the test.
    const { user, system } = process.cpuUsage(start);
    expect((user + system) / 1e6).toBeLessThan(1);
  });

  it('refuses weights over 2 GB before it makes a byte', () => {
    const graph = built((b, x) => b.op('Relu', [x]));
    const large = { dtype: 'float32', shape: [2 ** 29], data: { length: 2 ** 29, byteLength: 2 ** 31 } } as never;
    const initializers = new Map([['w', large]]);
    expect(() => writeModel({ graph: { ...graph, initializers } })).toThrow(/2\.1 GB; an ONNX file/);
  });
});
