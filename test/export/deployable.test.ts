import * as ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { InputError, ModelError } from '../../src/core/errors.ts';
import { outlierScores } from '../../src/evaluate/outliers.ts';
import {
  bareModel,
  deployableGraph,
  deployableModel,
  networkToLogits,
  outlierPartsOf,
} from '../../src/export/deployable.ts';
import { fromMetadata } from '../../src/models/description.ts';
import { networkOnCrops, cropGraph } from '../../src/models/preprocessing.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { int, type Graph } from '../../src/onnx/graph.ts';
import { readMetadata } from '../../src/onnx/metadata.ts';
import { readModel } from '../../src/onnx/read.ts';
import { writeModel } from '../../src/onnx/write.ts';
import { photo, smallNetwork, smallParts } from './small-network.ts';

async function run(bytes: Uint8Array, feeds: Record<string, ort.Tensor>): Promise<ort.InferenceSession.ReturnType> {
  const session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 3 });
  return session.run(feeds);
}

function imageTensor(...photos: ReturnType<typeof photo>[]): ort.Tensor {
  const data = Buffer.concat(photos.map((p) => p.data));
  return new ort.Tensor('uint8', new Uint8Array(data), [photos.length, photos[0]!.height, photos[0]!.width, 3]);
}

describe('deployableModel', () => {
  it('takes any image and returns probabilities, logits and classes', async () => {
    const { bytes } = deployableModel(smallParts());
    const session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 3 });
    expect(session.inputNames).toEqual(['image']);
    expect(session.outputNames).toEqual(['probabilities', 'logits', 'classes']);
    for (const [width, height] of [
      [16, 16],
      [37, 91],
      [1, 1],
      [400, 3],
    ] as const) {
      const { probabilities, logits, classes } = await session.run({ image: imageTensor(photo(width, height)) });
      expect(probabilities!.dims).toEqual([1, 3]);
      expect(logits!.dims).toEqual([1, 3]);
      expect(classes!.data).toEqual(['cat', 'dog', 'größer "x"']);
      const z = [...(logits!.data as Float32Array)].map((value) => Math.exp(value / 1.7));
      const sum = z.reduce((total, value) => total + value, 0);
      for (const [k, p] of (probabilities!.data as Float32Array).entries()) expect(p).toBeCloseTo(z[k]! / sum, 5);
    }
  });

  it('scores how little an image is like the classes, as the scorer itself does, and says from where on', async () => {
    const weight = Float32Array.from({ length: 16 }, (_, i) => Math.sin(i));
    const scorer = { weight, bias: Float32Array.of(0.5, -0.25) };
    const outliers = { scorer, embedding: 'embedding', threshold: 1.5 };
    const parts = smallParts({ outliers });
    const { bytes, description } = deployableModel(parts);
    expect(description.outlierThreshold).toBe(1.5);
    expect(fromMetadata(readMetadata(bytes), 'model.onnx')).toEqual(description);
    const image = imageTensor(photo(40, 30, 1), photo(40, 30, 2));
    const { outlier_score: score } = await run(bytes, { image });
    expect(score!.dims).toEqual([2]);
    const { crop } = await run(writeModel({ graph: cropGraph(parts.preprocessing) }), { image });
    const { embedding } = await run(writeModel({ graph: networkOnCrops(parts.graph, parts.preprocessing) }), { crop: crop! }); // prettier-ignore
    const expected = outlierScores(scorer, { data: embedding!.data as Float32Array, width: 8 });
    for (const [i, value] of expected.entries()) expect((score!.data as Float32Array)[i]).toBeCloseTo(value, 5);
    const found = outlierPartsOf(readModel(bytes).graph)!;
    expect([...found.scorer.weight]).toEqual([...weight]);
    expect(found.embedding).toBe('network/embedding');
    expect(outlierPartsOf(deployableGraph(smallParts()))).toBeUndefined();
    // The network alone has its logits alone.
    expect(bareModel(parts).description.outlierThreshold).toBeUndefined();
  });

  it('gives each image of a batch what it gives it alone', async () => {
    const { bytes } = deployableModel(smallParts());
    const [a, b] = [photo(40, 30, 1), photo(40, 30, 2)];
    const both = await run(bytes, { image: imageTensor(a, b) });
    const alone = [await run(bytes, { image: imageTensor(a) }), await run(bytes, { image: imageTensor(b) })];
    const expected = alone.flatMap(({ logits }) => [...(logits!.data as Float32Array)]);
    for (const [i, z] of (both['logits']!.data as Float32Array).entries()) expect(z).toBeCloseTo(expected[i]!, 5);
  });

  it('runs the network on what the crop graph cuts', async () => {
    const parts = smallParts();
    const image = imageTensor(photo(55, 44));
    const { crop } = await run(writeModel({ graph: cropGraph(parts.preprocessing) }), { image });
    const graph = networkOnCrops(parts.graph, parts.preprocessing);
    const network = await run(writeModel({ graph }), { crop: crop! });
    const { logits } = await run(deployableModel(parts).bytes, { image });
    for (const [k, z] of (logits!.data as Float32Array).entries())
      expect(z).toBeCloseTo((network['logits']!.data as Float32Array)[k]!, 5);
  });

  it('keeps names and shapes of parameters, so that the file can be trained on', () => {
    const { bytes } = deployableModel(smallParts());
    const { graph } = readModel(bytes);
    for (const [name, { shape }] of smallNetwork().initializers)
      expect(graph.initializers.get(name)?.shape).toEqual(shape);
  });

  it('is the same to the byte for the same parts, whatever the order of provenance', () => {
    const one = deployableModel(smallParts({ provenance: { seed: 3, data: { b: 1, a: 2 } } }));
    const two = deployableModel(smallParts({ provenance: { data: { a: 2, b: 1 }, seed: 3 } }));
    expect(Buffer.compare(one.bytes, two.bytes)).toBe(0);
    expect(one.json).toBe(two.json);
  });

  it('says the same of itself in the metadata and in model.json', () => {
    const parts = smallParts();
    const { bytes, json, description } = deployableModel(parts);
    const metadata = readMetadata(bytes);
    expect(metadata).toEqual(readModel(bytes).metadata);
    expect(
      Object.fromEntries([...metadata].map(([key, value]) => [key.replace('gleaner.', ''), JSON.parse(value)])),
    ).toEqual(JSON.parse(json));
    expect(fromMetadata(metadata, 'test')).toEqual(description);
    expect(JSON.parse(json)).toEqual({
      format: 1,
      variant: 'float32',
      classes: parts.classes,
      temperature: 1.7,
      abstainThreshold: 0.6,
      preprocessing: parts.preprocessing,
      provenance: parts.provenance,
    });
    const { abstainThreshold: _, ...rest } = parts;
    expect(deployableModel(rest).json).not.toContain('abstainThreshold');
  });

  it('takes logits that a 1x1 convolution made, by name or as the only output', async () => {
    const b = new GraphBuilder('convolutional');
    const x = b.input('x', 'float32', ['N', 3, 16, 16]);
    const weight = b.initializer('w', smallNetwork().initializers.get('stem.weight')!);
    const pooled = b.op('GlobalAveragePool', [b.op('Conv', [x, weight])]);
    b.output(pooled, 'scores');
    const { bytes } = deployableModel(smallParts({ graph: b.build(), classes: [...'abcdefgh'] }));
    expect((await run(bytes, { image: imageTensor(photo(20, 20)) }))['logits']!.dims).toEqual([1, 8]);
    b.output(x, 'other');
    expect(() => deployableModel(smallParts({ graph: b.build(), classes: [...'abcdefgh'] }))).toThrow(
      /no output "logits".*scores, other/,
    );
    expect(() => networkToLogits(b.build(), 'scores', 8)).not.toThrow();
  });

  const training = (graph: Graph): Graph => ({
    ...graph,
    nodes: graph.nodes.map((node) =>
      node.opType === 'BatchNormalization' ? { ...node, attributes: { training_mode: int(1) } } : node,
    ),
  });
  const fixed = (graph: Graph): Graph => ({
    ...graph,
    inputs: [{ name: 'image', type: { dtype: 'float32', shape: [1, 3, 16, 16] } }],
  });
  it.each([
    [{ classes: ['a', 'b'] }, ModelError, /\[N, 2\].*got float32 \[N,3\]/],
    [{ graph: smallNetwork(3, 24) }, ModelError, /must take float32 \[N,3,16,16\].*takes float32 \[N,3,24,24\]/],
    [{ graph: training(smallNetwork()) }, ModelError, /BatchNormalization.*training mode/],
    [{ graph: fixed(smallNetwork()) }, ModelError, /takes float32 \[1,3,16,16\]/],
    [{ temperature: 0 }, RangeError, /temperature/],
  ])('refuses what does not fit: %#', (changes, kind, message) => {
    const make = (): unknown => deployableModel(smallParts(changes));
    expect(make).toThrow(kind);
    expect(make).toThrow(message);
  });
});

describe('bareModel', () => {
  it("takes the network's own input and returns logits alone", async () => {
    const parts = smallParts();
    const { bytes, description } = bareModel(parts);
    expect(description.variant).toBe('bare');
    const values = Float32Array.from({ length: 2 * 3 * 256 }, (_, i) => Math.sin(i));
    const input = new ort.Tensor('float32', values, [2, 3, 16, 16]);
    const result = await run(bytes, { input });
    expect(Object.keys(result)).toEqual(['logits']);
    const expected = await run(writeModel({ graph: parts.graph }), { image: input });
    for (const [i, z] of (result['logits']!.data as Float32Array).entries())
      expect(z).toBeCloseTo((expected['logits']!.data as Float32Array)[i]!, 5);
  });
});

describe('fromMetadata', () => {
  it('knows models that are not ours, and refuses those that are damaged', () => {
    expect(fromMetadata(new Map([['author', 'x']]), 'a.onnx')).toBeUndefined();
    const good = readMetadata(deployableModel(smallParts()).bytes);
    const read = (key: string, value: string): unknown => fromMetadata(new Map([...good, [key, value]]), 'a.onnx');
    expect(() => read('gleaner.classes', '[1]')).toThrow(InputError);
    expect(() => read('gleaner.classes', '[1]')).toThrow(/a\.onnx.*gleaner\.classes\.0/);
    expect(() => read('gleaner.temperature', 'warm')).toThrow(/not JSON: warm/);
  });
});

describe('readMetadata', () => {
  it('refuses what is no protocol buffer or is cut short', () => {
    const { bytes } = deployableModel(smallParts());
    expect(() => readMetadata(bytes.subarray(0, bytes.length - 5))).toThrow(ModelError);
    expect(() => readMetadata(new TextEncoder().encode('{"json": true}'))).toThrow(ModelError);
    expect(readMetadata(new Uint8Array(0))).toEqual(new Map());
  });
});
