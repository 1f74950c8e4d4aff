import { mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create, toBinary, type MessageInitShape } from '@bufbuild/protobuf';
import { beforeAll, describe, expect, it } from 'vitest';
import { ModelError } from '../../src/core/errors.ts';
import { toNumbers } from '../../src/core/tensor.ts';
import { attribute, INTERNAL_OPSET, type Graph } from '../../src/onnx/graph.ts';
import {
  AttributeProto_AttributeType as Type,
  ModelProtoSchema,
  TensorProto_DataLocation,
  type GraphProtoSchema,
} from '../../src/onnx/proto/onnx_pb.ts';
import { loadModel, readModel } from '../../src/onnx/read.ts';

const golden = (name: string): Graph =>
  readModel(readFileSync(new URL(`golden/models/${name}`, import.meta.url)), { source: name }).graph;

const tensorType = (elemType: number, dims: (number | string)[]) => ({
  value: {
    case: 'tensorType' as const,
    value: {
      elemType,
      shape: {
        dim: dims.map((side) =>
          typeof side === 'number'
            ? { value: { case: 'dimValue' as const, value: BigInt(side) } }
            : { value: { case: 'dimParam' as const, value: side } },
        ),
      },
    },
  },
});
const floats = (...dims: (number | string)[]) => tensorType(1, dims);

/** A file with one Relu, changed as a test likes. */
function file(
  graph: MessageInitShape<typeof GraphProtoSchema> = {},
  model: Partial<Extract<MessageInitShape<typeof ModelProtoSchema>, { $typeName?: never }>> = {},
): Uint8Array {
  return toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      irVersion: 8n,
      opsetImport: [{ domain: '', version: 17n }],
      graph: {
        name: 'g',
        node: [{ opType: 'Relu', input: ['x'], output: ['y'] }],
        input: [{ name: 'x', type: floats('N', 3) }],
        output: [{ name: 'y', type: floats('N', 3) }],
        ...graph,
      },
      ...model,
    }),
  );
}

const reluNode = (from: string, to: string) => ({ opType: 'Relu', input: [from], output: [to], name: to });

/** Three ones, as an initializer. */
const ones = (name: string) => ({ name, dataType: 1, dims: [3n], floatData: [1, 1, 1] });

describe('readModel', () => {
  it('says what it read', () => {
    const model = readModel(
      file({}, { producerName: 'pytorch', producerVersion: '2', metadataProps: [{ key: 'k', value: 'v' }] }),
    );
    expect(model).toMatchObject({ producer: 'pytorch 2', sourceOpset: 17 });
    expect([...model.metadata]).toEqual([['k', 'v']]);
    expect(model.graph.inputs).toEqual([{ name: 'x', type: { dtype: 'float32', shape: ['N', 3] } }]);
    expect(model.graph.outputs).toEqual([{ name: 'y', type: { dtype: 'float32', shape: ['N', 3] } }]);
  });

  it('reads every encoding of an initializer', () => {
    const { initializers } = golden('encodings.13.onnx');
    expect(initializers.size).toBe(24);
    for (const [name, value] of initializers) {
      const signed = /^(float|double|float16|int)/.test(name);
      expect(toNumbers(value), name).toEqual([1, 0, signed ? -3 : name.startsWith('bool') ? 1 : 3, 1]);
    }
  });

  it('unpacks 4-bit numbers', () => {
    const values = toNumbers(golden('int4.21.onnx').initializers.get('w')!);
    expect(values).toHaveLength(15);
    expect(Math.min(...values)).toBeLessThan(0);
  });

  it('makes Constant nodes initializers under their output name', () => {
    const graph = golden('constants.13.onnx');
    expect(graph.nodes.map((node) => node.opType)).toEqual(['Sum', 'Add']);
    expect(graph.initializers.get('c')).toEqual({ dtype: 'float32', shape: [2], data: Float32Array.of(1, 2) });
    expect(graph.initializers.get('j')).toEqual({ dtype: 'int64', shape: [], data: BigInt64Array.of(5n) });
  });

  it('gives tensors that were written once for being equal one each', () => {
    const ones = { name: 'ones', dims: [3n], dataType: 1, floatData: [1, 1, 1] };
    const node = [
      { opType: 'Identity', input: ['ones'], output: ['bn1.weight'] },
      { opType: 'Identity', input: ['bn1.weight'], output: ['bn2.weight'] },
      { opType: 'Mul', input: ['x', 'bn1.weight'], output: ['h'] },
      { opType: 'Mul', input: ['h', 'bn2.weight'], output: ['y'] },
    ];
    const { initializers, nodes } = readModel(file({ node, initializer: [ones] })).graph;
    expect([...initializers.keys()]).toEqual(['ones', 'bn1.weight', 'bn2.weight']);
    expect(nodes.map(({ opType }) => opType)).toEqual(['Mul', 'Mul']);
  });

  it('takes an input that is an initializer too for an initializer', () => {
    const { graph } = readModel(
      file({
        node: [{ opType: 'Add', input: ['x', 'b'], output: ['y'] }],
        input: [
          { name: 'x', type: floats('N', 3) },
          { name: 'b', type: floats(3) },
        ],
        initializer: [{ name: 'b', dataType: 1, dims: [3n], floatData: [1, 2, 3] }],
      }),
    );
    expect(graph.inputs.map(({ name }) => name)).toEqual(['x']);
    expect(graph.initializers.has('b')).toBe(true);
  });

  it('gives readable names to nodes without one, and makes names unique', () => {
    const { graph } = readModel(
      file({
        node: [
          { opType: 'Relu', input: ['x'], output: ['a'], name: 'same' },
          { opType: 'Relu', input: ['a'], output: ['b'], name: 'same' },
          { opType: 'Relu', input: ['b'], output: ['y'] },
        ],
      }),
    );
    expect(graph.nodes.map((node) => node.name)).toEqual(['same', 'same_1', 'Relu_2']);
  });

  it('puts nodes in order, and refuses a circle', () => {
    const { graph } = readModel(file({ node: [reluNode('b', 'y'), reluNode('a', 'b'), reluNode('x', 'a')] }));
    expect(graph.nodes.map((node) => node.name)).toEqual(['a', 'b', 'y']);
    expect(() => readModel(file({ node: [reluNode('y', 'a'), reluNode('a', 'y')] }))).toThrow(/wait for each other/);
  });

  it('keeps sides without a name apart', () => {
    const open = { value: { case: 'tensorType' as const, value: { elemType: 1, shape: { dim: [{}, {}] } } } };
    const { graph } = readModel(file({ input: [{ name: 'x', type: open }] }));
    const [a, b] = graph.inputs[0]!.type.shape!;
    expect(a).not.toBe(b);
    expect(typeof a).toBe('string');
  });

  it('inlines functions: nested, with attributes, twice under different names', () => {
    const graph = golden('functions.17.onnx');
    expect(graph.nodes.map((node) => node.name)).toEqual([
      'first/ReduceMean',
      'first/Sub',
      'first/Scaled/Mul',
      'second/ReduceMean',
      'second/Sub',
      'second/Scaled/Mul',
      'y/Mul',
    ]);
    expect([...graph.initializers.values()].flatMap(toNumbers)).toEqual(expect.arrayContaining([2, 3]));
  });

  it('refuses functions that call themselves', () => {
    const call = { opType: 'F', domain: 'l', input: ['a'], output: ['b'] };
    const bytes = file(
      { node: [{ opType: 'F', domain: 'l', input: ['x'], output: ['y'] }] },
      { functions: [{ domain: 'l', name: 'F', input: ['a'], output: ['b'], node: [call] }] },
    );
    expect(() => readModel(bytes)).toThrow(/calls itself/);
  });

  it('lifts batch normalisation that trains by having more outputs', () => {
    const names = ['scale', 'bias', 'mean', 'var'];
    const { graph } = readModel(
      file(
        {
          node: [
            {
              opType: 'BatchNormalization',
              input: ['x', ...names],
              output: ['y', 'm', 'v', 'saved_m', 'saved_v'],
            },
          ],
          initializer: names.map(ones),
        },
        { opsetImport: [{ domain: '', version: 12n }] },
      ),
    );
    expect(graph.nodes[0]!.outputs).toEqual(['y', 'm', 'v']);
    expect(attribute(graph.nodes[0]!, 'training_mode', 'int')).toBe(1);
  });

  it('lifts dropout: the ratio becomes an input', () => {
    const graph = golden('dropout_ratio.11.onnx');
    const [node] = graph.nodes;
    expect(node!.attributes).toEqual({});
    expect(toNumbers(graph.initializers.get(node!.inputs[1]!)!)[0]).toBeCloseTo(0.3);
  });
});

describe('what is no model, or none that Gleaner takes', () => {
  const relu = { opType: 'Relu', input: ['x'], output: ['y'] };
  const opset = (version: bigint) => file({}, { opsetImport: [{ domain: '', version }] });
  const cases: readonly [string, Uint8Array, RegExp][] = [
    ['an empty file', new Uint8Array(), /empty/],
    ['text', Buffer.from('not a model at all'), /not an ONNX model/],
    ['a ZIP archive', Buffer.from('PK\u0003\u0004 and more'), /ZIP/],
    ['a Git LFS pointer', Buffer.from('version https://git-lfs.github.com/spec/v1\n'), /git lfs pull/],
    ['a web page', Buffer.from('<!DOCTYPE html><html></html>'), /web page/],
    ['a file cut short', file().subarray(0, 40), /cut short/],
    [
      'a message without a graph',
      toBinary(ModelProtoSchema, create(ModelProtoSchema, { irVersion: 8n })),
      /not an ONNX model/,
    ],
    ['an opset too old', opset(9n), /opset 9; opsets 11 to 26 are supported.*version_converter/],
    ['an opset too new', opset(BigInt(INTERNAL_OPSET + 1)), /opset 27; .*Export it again with opset_version=26/],
    ['no opset', file({}, { opsetImport: [] }), /opset 1;/],
    [
      'an unknown op',
      file({ node: [{ ...relu, opType: 'Relus' }] }),
      /Relus\): ONNX has no such operator \(did you mean "Relu"\?\)/,
    ],
    [
      'an op of a later opset',
      file({ node: [{ ...relu, opType: 'Gelu' }] }),
      /exists since opset 20, the model declares opset 17/,
    ],
    ['a removed op', file({ node: [{ ...relu, opType: 'Upsample' }] }), /removed/],
    [
      'a foreign domain',
      file({ node: [{ ...relu, domain: 'ai.onnx.ml' }] }),
      /domain "ai\.onnx\.ml" are not supported/,
    ],
    [
      'a file optimized for one CPU',
      file({ node: [{ ...relu, domain: 'com.microsoft.nchwc' }] }),
      /optimized by ONNX Runtime/,
    ],
    [
      'an unknown op of the engine',
      file({ node: [{ ...relu, opType: 'QuickGelus', domain: 'com.microsoft' }] }),
      /did you mean "QuickGelu"/,
    ],
    ['a value that nothing makes', file({ node: [{ ...relu, input: ['z'] }] }), /reads "z", which nothing makes/],
    ['an output that nothing makes', file({ output: [{ name: 'q', type: floats(1) }] }), /"q"/],
    ['a value made twice', file({ node: [relu, relu] }), /"y" is taken/],
    ['a sparse initializer', file({ sparseInitializer: [{ dims: [3n] }] }), /sparse/],
    [
      'a type without a kernel',
      file({ initializer: [{ name: 'f8', dataType: 17, dims: [1n] }] }),
      /FLOAT8E4M3FN, which is not supported/,
    ],
    [
      'a tensor of the wrong size',
      file({ initializer: [{ name: 'w', dataType: 1, dims: [3n], floatData: [1] }] }),
      /"w" has 1 elements, its shape takes 3/,
    ],
    [
      'a tensor of an impossible size',
      file({ initializer: [{ name: 'w', dataType: 1, dims: [2n ** 40n, 2n ** 40n] }] }),
      /impossible shape/,
    ],
    [
      'raw bytes of the wrong size',
      file({ initializer: [{ name: 'w', dataType: 1, dims: [3n], rawData: new Uint8Array(5) }] }),
      /takes 12 bytes, got 5/,
    ],
    [
      'a sequence as input',
      file({ input: [{ name: 'x', type: { value: { case: 'sequenceType', value: {} } } }] }),
      /"x" must be a tensor/,
    ],
    [
      'shapes that do not fit',
      file({
        node: [{ opType: 'MatMul', input: ['x', 'x'], output: ['y'], name: 'mm' }],
        input: [{ name: 'x', type: floats(2, 3) }],
      }),
      /mm \(MatMul\).*3 and 2/,
    ],
    [
      'a shape longer than any',
      file({
        node: [{ opType: 'Reshape', input: ['x', 's'], output: ['y'] }],
        input: [
          { name: 'x', type: floats('N', 3) },
          { name: 's', type: tensorType(7, [2 ** 31]) },
        ],
      }),
      /at most 64 elements/,
    ],
    [
      'a wrong output type',
      file({ output: [{ name: 'y', type: tensorType(7, ['N', 3]) }] }),
      /declared int64, its node makes float32/,
    ],
  ];
  it.each(cases)('%s', (_, bytes, message) => {
    expect(() => readModel(bytes, { source: 'bad.onnx' })).toThrow(ModelError);
    expect(() => readModel(bytes, { source: 'bad.onnx' })).toThrow(message);
    expect(() => readModel(bytes, { source: 'bad.onnx' })).toThrow(/^bad\.onnx: /);
  });

  it('names a file that is not there', async () => {
    await expect(loadModel('/no/such/model.onnx')).rejects.toThrow(
      /\/no\/such\/model\.onnx: can not be read \(no such file\)/,
    );
  });
});

const entry = (location: string, more: Record<string, string> = {}) =>
  Object.entries({ location, ...more }).map(([key, value]) => ({ key, value }));
const withData = (externalData: { key: string; value: string }[]): Uint8Array =>
  file({
    node: [{ opType: 'Add', input: ['x', 'w'], output: ['y'] }],
    initializer: [
      { name: 'w', dataType: 1, dims: [3n], dataLocation: TensorProto_DataLocation.EXTERNAL, externalData },
    ],
  });

describe('external data', () => {
  let folder: string;
  beforeAll(() => {
    const root = mkdtempSync(join(tmpdir(), 'gleaner-external-'));
    folder = join(root, 'model');
    mkdirSync(join(folder, 'sub'), { recursive: true });
    const bytes = new Uint8Array(new Float32Array([9, 1, 2, 3]).buffer);
    writeFileSync(join(root, 'secret.bin'), bytes);
    writeFileSync(join(folder, 'w.bin'), bytes);
    writeFileSync(join(folder, 'sub', 'w.bin'), bytes);
    symlinkSync('../secret.bin', join(folder, 'link.bin'));
    symlinkSync('..', join(folder, 'up'));
    symlinkSync('w.bin', join(folder, 'inside.bin'));
  });

  it.each(['w.bin', 'sub/w.bin', 'inside.bin'])('is read from %s', (location) => {
    const { graph } = readModel(withData(entry(location, { offset: '4', length: '12' })), { folder });
    expect(toNumbers(graph.initializers.get('w')!)).toEqual([1, 2, 3]);
  });

  it('is found beside the model', async () => {
    writeFileSync(join(folder, 'model.onnx'), withData(entry('w.bin', { offset: '4' })));
    const { graph } = await loadModel(join(folder, 'model.onnx'));
    expect(toNumbers(graph.initializers.get('w')!)).toEqual([1, 2, 3]);
  });

  it.each([
    ['../secret.bin', {}, /must not leave the model's folder/],
    ['sub/../../secret.bin', {}, /must not leave/],
    ['sub\\..\\..\\secret.bin', {}, /must not leave/],
    ['/etc/passwd', {}, /relative to the model's folder/],
    ['C:\\secret.bin', {}, /relative to the model's folder/],
    ['link.bin', {}, /link that leaves/],
    ['up/secret.bin', {}, /link that leaves/],
    ['', {}, /relative/],
    ['w.bin\0.txt', {}, /relative/],
    ['missing.bin', {}, /no such file/],
    ['sub', {}, /not a plain file/],
    ['w.bin', { offset: '-4' }, /offset must be a whole number/],
    ['w.bin', { offset: '8' }, /beyond its end at 16/],
    ['w.bin', { length: '99999999999999999999' }, /length must be a whole number/],
    ['w.bin', { length: '16' }, /take 12 bytes, its length is 16/],
  ])('is refused: %j %j', (location, more, message) => {
    expect(() => readModel(withData(entry(location, more)), { folder })).toThrow(ModelError);
    expect(() => readModel(withData(entry(location, more)), { folder })).toThrow(message);
  });

  it('is refused where the model has no folder', () => {
    expect(() => readModel(withData(entry('w.bin')))).toThrow(/load it from its file/);
  });
});

describe('attributes', () => {
  it('keeps every kind, and cuts sentinels to safe integers', () => {
    const { graph } = readModel(
      file({
        node: [
          {
            opType: 'Relu',
            input: ['x'],
            output: ['y'],
            attribute: [
              { name: 'i', type: Type.INT, i: 2n ** 63n - 1n },
              { name: 'f', type: Type.FLOAT, f: 0.5 },
              { name: 's', type: Type.STRING, s: Buffer.from('höhe') },
              { name: 'is', type: Type.INTS, ints: [1n, -2n] },
              { name: 'fs', type: Type.FLOATS, floats: [0.25] },
              { name: 'ss', type: Type.STRINGS, strings: [Buffer.from('a')] },
            ],
          },
        ],
      }),
    );
    expect(graph.nodes[0]!.attributes).toEqual({
      i: { kind: 'int', value: Number.MAX_SAFE_INTEGER },
      f: { kind: 'float', value: 0.5 },
      s: { kind: 'string', value: 'höhe' },
      is: { kind: 'ints', value: [1, -2] },
      fs: { kind: 'floats', value: [0.25] },
      ss: { kind: 'strings', value: ['a'] },
    });
  });
});
