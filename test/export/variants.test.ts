import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ModelError } from '../../src/core/errors.ts';
import { float16ToNumber, tensor, toNumbers, type Tensor } from '../../src/core/tensor.ts';
import { addToHistogram, chooseRange, emptyHistogram, RANGE_METHODS } from '../../src/export/activation-range.ts';
import { networkToLogits } from '../../src/export/deployable.ts';
import { toFloat16 } from '../../src/export/float16.ts';
import { foldBatchNorm } from '../../src/export/fold-batch-norm.ts';
import { logitsOf, toInt8 } from '../../src/export/int8.ts';
import { measureVariants } from '../../src/export/measure.ts';
import { planQuantization } from '../../src/export/quantization-plan.ts';
import { quantize } from '../../src/export/quantize.ts';
import { makeVariant } from '../../src/export/variants.ts';
import { decodeImage } from '../../src/images/decode.ts';
import { parsePreprocessing } from '../../src/models/preprocessing.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { loadModel, readModel } from '../../src/onnx/read.ts';
import { writeModel } from '../../src/onnx/write.ts';
import { Engine } from '../../src/runtime/engine.ts';
import { photo, smallNetwork, smallParts } from './small-network.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await Engine.start({ device: 'cpu' });
});
afterAll(() => engine.dispose());

const network = networkToLogits(smallNetwork(), undefined, 3);
const { preprocessing } = smallParts();

function cropsOf(count: number): Tensor {
  const all = Array.from({ length: count }, (_, i) => photo(16, 16, i).data);
  return tensor('uint8', [count, 16, 16, 3], new Uint8Array(Buffer.concat(all)));
}

function largest(values: ArrayLike<number>): number {
  return Array.from(values).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}

function difference(a: Float32Array, b: Float32Array): number {
  return largest(a.map((value, i) => value - b[i]!));
}

describe('foldBatchNorm', () => {
  it('gives the same logits without batch norm', async () => {
    const folded = foldBatchNorm(network);
    expect(network.nodes.map(({ opType }) => opType)).toContain('BatchNormalization');
    expect(folded.nodes.map(({ opType }) => opType)).not.toContain('BatchNormalization');
    expect([...folded.initializers.keys()].filter((name) => name.startsWith('bn.'))).toEqual([]);
    const [a, b] = [
      await logitsOf(engine, network, preprocessing, cropsOf(4)),
      await logitsOf(engine, folded, preprocessing, cropsOf(4)),
    ];
    expect(difference(a, b)).toBeLessThan(1e-5 * largest(a));
  });

  it('leaves a batch norm whose convolution has another reader', () => {
    const conv = network.nodes.find(({ opType }) => opType === 'Conv')!;
    const type = { dtype: 'float32', shape: undefined } as const;
    const shared = { ...network, outputs: [...network.outputs, { name: conv.outputs[0]!, type }] };
    expect(foldBatchNorm(shared).nodes).toEqual(shared.nodes);
  });
});

describe('chooseRange', () => {
  const values = Float32Array.from({ length: 200_000 }, (_, i) => Math.sin(i) ** 3 + (i % 7) / 7);
  const histogram = emptyHistogram({ min: -1, max: 50 });
  addToHistogram(histogram, values);
  addToHistogram(histogram, Float32Array.of(50, -1));

  it('covers everything by minmax, and leaves out a lone outlier by percentile and mse', () => {
    expect(chooseRange(histogram, 'minmax')).toEqual({ min: -1, max: 50 });
    const percentile = chooseRange(histogram, 'percentile');
    expect(percentile.max).toBeGreaterThan(1.8);
    expect(percentile.max).toBeLessThan(2);
    expect(chooseRange(histogram, 'mse').max).toBeLessThan(50);
  });

  it.each(RANGE_METHODS)('holds 0 by %s, so that padding is exact', (method) => {
    const positive = emptyHistogram({ min: 3, max: 4 });
    addToHistogram(positive, Float32Array.of(3, 3.5, 4));
    expect(chooseRange(positive, method).min).toBe(0);
    const constant = emptyHistogram({ min: 0, max: 0 });
    addToHistogram(constant, Float32Array.of(0, 0));
    expect(chooseRange(constant, method)).toEqual({ min: 0, max: 0 });
  });
});

describe('quantize', () => {
  const folded = foldBatchNorm(network);
  const plan = planQuantization(folded);
  const ranges = new Map(plan.values.map((name) => [name, { min: -6, max: 6 }]));

  it('plans all products but the last, the sum and the pooling, and rounds after activations', () => {
    expect(plan.products.map(({ opType }) => opType)).toEqual(['Conv', 'Conv', 'Conv']);
    const made = new Map(folded.nodes.map((node) => [node.outputs[0]!, node.opType]));
    expect(plan.values.map((name) => made.get(name) ?? 'input')).toEqual([
      'input',
      'Relu',
      'Conv',
      'Conv',
      'Relu',
      'GlobalAveragePool',
    ]);
    const first = folded.nodes.find(({ opType }) => opType === 'Conv')!;
    expect(planQuantization(folded, { keepFloat: new Set([first.name]) }).products).toHaveLength(2);
  });

  it('gives what a pooling hands on the scale of what it pools', () => {
    const b = new GraphBuilder('pooled');
    const weight = b.initializer(
      'w',
      tensor(
        'float32',
        [3, 3, 1, 1],
        Float32Array.from({ length: 9 }, (_, i) => i / 9),
      ),
    );
    const relu = b.op('Relu', [b.op('Conv', [b.input('x', 'float32', ['N', 3, 8, 8]), weight])]);
    const pooled = b.op('MaxPool', [relu], { kernel_shape: [2, 2], strides: [2, 2] });
    const second = b.op('Relu', [b.op('Conv', [pooled, weight])]);
    b.output(b.op('Conv', [second, weight]));
    const graph = b.build();
    const { values, sharedWith, products } = planQuantization(graph);
    expect(products).toHaveLength(2);
    expect(values).toEqual(['x', relu, pooled, second]);
    expect([...sharedWith]).toEqual([[pooled, relu]]);
    const spans = new Map([relu, 'x', second].map((name, i) => [name, { min: 0, max: i + 1 }]));
    const { initializers } = quantize(graph, planQuantization(graph), spans);
    expect(initializers.get(`${pooled}/scale`)).toEqual(initializers.get(`${relu}/scale`));
    expect(initializers.get(`${second}/scale`)).not.toEqual(initializers.get(`${relu}/scale`));
  });

  it('stores weights by output channel in whole numbers, and biases to match', () => {
    const { initializers } = quantize(folded, plan, ranges);
    const weight = folded.initializers.get('second.weight')!;
    const stored = initializers.get('second.weight/int8')!;
    const scales = toNumbers(initializers.get('second.weight/scale')!);
    expect(initializers.has('second.weight')).toBe(false);
    for (let channel = 0; channel < 8; channel++) {
      const values = toNumbers(weight).slice(channel * 72, (channel + 1) * 72);
      expect(scales[channel]).toBeCloseTo(largest(values) / 63, 7);
      for (const [i, value] of values.entries())
        expect(Math.abs(Number(stored.data[channel * 72 + i]) * scales[channel]! - value)).toBeLessThanOrEqual(
          scales[channel]! * 0.5001,
        );
    }
    const bias = toNumbers(folded.initializers.get('second.bias')!);
    const biasScales = toNumbers(initializers.get('second.bias/scale')!);
    for (const [channel, scale] of biasScales.entries()) {
      expect(scale / (scales[channel]! * (12 / 255))).toBeCloseTo(1, 5);
      expect(
        Math.abs(toNumbers(initializers.get('second.bias/int32')!)[channel]! * scale - bias[channel]!),
      ).toBeLessThanOrEqual(scale * 0.5001);
    }
    const eight = quantize(folded, plan, ranges, { weightBits: 8 }).initializers.get('second.weight/int8')!;
    expect(largest(eight.data as Int8Array)).toBe(127);
    expect(largest(stored.data as Int8Array)).toBe(63);
  });

  it('survives a channel of zero weights with a bias', async () => {
    const weight = folded.initializers.get('second.weight')!;
    const data = Float32Array.from(weight.data as Float32Array, (value, i) => (i < 72 ? value * 1e-20 : value));
    const dead = { ...folded, initializers: new Map([...folded.initializers, ['second.weight', { ...weight, data }]]) };
    const rounded = quantize(dead, planQuantization(dead), ranges);
    const bias = toNumbers(rounded.initializers.get('second.bias/int32')!)[0]!;
    const scale = toNumbers(rounded.initializers.get('second.bias/scale')!)[0]!;
    expect(bias * scale).toBeCloseTo(toNumbers(folded.initializers.get('second.bias')!)[0]!, 5);
  });

  it('names the value whose range is missing', () => {
    expect(() => quantize(folded, plan, new Map())).toThrow(RangeError);
  });
});

describe('toInt8', () => {
  it('stays near float32 and runs as whole numbers in the engine', async () => {
    const crops = cropsOf(24);
    const { graph, divergence, products } = await toInt8(engine, network, preprocessing, crops);
    expect(products).toBe(3);
    expect(divergence).toBeLessThan(0.01);
    const expected = await logitsOf(engine, network, preprocessing, crops);
    const actual = await logitsOf(engine, graph, preprocessing, crops);
    expect(difference(actual, expected)).toBeLessThan(0.1 * largest(expected));
    // Read literally, the pairs round to the same numbers that the fused kernels compute with.
    const session = await engine.load(writeModel({ graph }), { optimization: 'disabled' });
    const values = Float32Array.from({ length: 768 }, (_, i) => Math.sin(i / 5));
    const feeds = { image: tensor('float32', [1, 3, 16, 16], values) };
    const literal = (await engine.run(session, { feeds }))['logits']!.data as Float32Array;
    const fused = await engine.load(writeModel({ graph }));
    const integer = (await engine.run(fused, { feeds }))['logits']!.data as Float32Array;
    expect(difference(literal, integer)).toBeLessThan(0.03 * largest(literal));
  });

  it('needs crops', async () => {
    await expect(toInt8(engine, network, preprocessing, cropsOf(0))).rejects.toThrow(RangeError);
  });
});

describe('toFloat16', () => {
  it.each(['float32', 'float16'] as const)('stays near float32, computing in %s', async (compute) => {
    const graph = toFloat16(network, { compute });
    const expected = await logitsOf(engine, network, preprocessing, cropsOf(4));
    const actual = await logitsOf(engine, graph, preprocessing, cropsOf(4));
    expect(difference(actual, expected)).toBeGreaterThan(0);
    expect(difference(actual, expected)).toBeLessThan(0.005 * largest(expected));
    expect(graph.outputs.map(({ name, type }) => [name, type.dtype])).toEqual([['logits', 'float32']]);
    const halves = [...graph.initializers.values()].filter(({ dtype }) => dtype === 'float16');
    expect(halves.length).toBeGreaterThan(3);
    if (compute === 'float16')
      expect([...graph.initializers.values()].some(({ dtype }) => dtype === 'float32')).toBe(false);
    expect(() => readModel(writeModel({ graph }))).not.toThrow();
  });

  it('keeps limits and masks finite', () => {
    const bias = tensor('float32', [3], Float32Array.of(-3.4e38, 1e9, 0.5));
    const graph = { ...network, initializers: new Map([...network.initializers, ['head.bias', bias]]) };
    const half = toFloat16(graph, { compute: 'float16' }).initializers.get('head.bias')!;
    expect([...(half.data as Uint16Array)].map(float16ToNumber)).toEqual([-65504, 65504, 0.5]);
  });

  it('refuses control flow by name', () => {
    const loop = {
      ...network.nodes[0]!,
      name: 'loop',
      opType: 'Loop',
      attributes: { body: { kind: 'graph', value: network } },
    } as const;
    const graph = { ...network, nodes: [...network.nodes, { ...loop, inputs: [], outputs: ['looped'] }] };
    expect(() => toFloat16(graph, { compute: 'float16' })).toThrow(ModelError);
    expect(() => toFloat16(graph, { compute: 'float16' })).toThrow(/loop \(Loop\)/);
  });
});

describe('makeVariant and measureVariants', () => {
  it('keep the outlier score in every form that takes images', async () => {
    const weight = Float32Array.from({ length: 16 }, (_, i) => Math.sin(i));
    const outliers = { scorer: { weight, bias: Float32Array.of(0.5, -0.25) }, embedding: 'embedding', threshold: 1 };
    const parts = smallParts({ outliers });
    const scores = new Map<string, number[]>();
    for (const variant of ['float32', 'float16', 'int8'] as const) {
      const { file } = await makeVariant(engine, parts, variant, { calibration: cropsOf(20) });
      expect(file.description.outlierThreshold).toBe(1);
      const session = await engine.load(file.bytes, { name: variant });
      const found: number[] = [];
      for (let i = 0; i < 8; i++) {
        const { width, height, data } = photo(40, 30, i);
        const feeds = { image: tensor('uint8', [1, height, width, 3], new Uint8Array(data)) };
        const result = await engine.run(session, { feeds, fetch: ['outlier_score', 'probabilities'] });
        found.push((result['outlier_score']!.data as Float32Array)[0]!);
      }
      await session.release();
      scores.set(variant, found);
    }
    const float = scores.get('float32')!;
    const range = Math.max(...float) - Math.min(...float);
    for (const [i, score] of float.entries()) {
      expect(Math.abs(scores.get('float16')![i]! - score)).toBeLessThan(0.01 * range);
      expect(Math.abs(scores.get('int8')![i]! - score)).toBeLessThan(0.25 * range);
    }
  });

  it('make and measure every form', async () => {
    const parts = smallParts();
    const crops = cropsOf(20);
    const variants = [];
    for (const variant of ['float32', 'float16', 'int8', 'bare'] as const)
      variants.push(await makeVariant(engine, parts, variant, { calibration: crops }));
    for (const { variant, file } of variants) expect(file.description.variant).toBe(variant);
    const underTest = variants.map((variant) => ({ ...variant, file: variant.file.bytes }));
    const float = await logitsOf(engine, network, preprocessing, crops);
    const labels = Array.from({ length: 20 }, (_, i) => {
      const row = [...float.subarray(i * 3, i * 3 + 3)];
      return i < 15 ? row.indexOf(Math.max(...row)) : row.indexOf(Math.min(...row));
    });
    const measured = await measureVariants(engine, underTest, preprocessing, crops, labels);
    expect(measured.map(({ variant }) => variant)).toEqual(['float32', 'float16', 'int8', 'bare']);
    expect(measured[0]).toMatchObject({ accuracy: 0.75, accuracyDifference: 0, agreement: 1, slower: false });
    for (const { bytes, millisecondsPerImage, accuracy, accuracyDifference, slower } of measured) {
      expect(bytes).toBeGreaterThan(1000);
      expect(millisecondsPerImage).toBeGreaterThan(0);
      expect(accuracy! - accuracyDifference!).toBeCloseTo(0.75);
      expect(slower).toBe(millisecondsPerImage > measured[0]!.millisecondsPerImage);
    }
    const [plain] = await measureVariants(engine, underTest.slice(0, 1), preprocessing, crops, undefined);
    expect(plain).not.toHaveProperty('accuracy');
    await expect(makeVariant(engine, parts, 'int8')).rejects.toThrow(RangeError);
  });
});

const shared = new URL('../../../shared/', import.meta.url);
describe.skipIf(!existsSync(shared))('int8 of a trained network', () => {
  it('loses less than a point of accuracy on CIFAR-10 (1,000 test images)', async () => {
    const spec = parsePreprocessing(
      { inputSize: [32, 32], mean: [123.675, 116.28, 103.53], std: [58.395, 57.12, 57.375] },
      'test',
    );
    const images = async (part: string, perClass: number): Promise<{ crops: Tensor; labels: number[] }> => {
      const root = fileURLToPath(new URL(`data/cifar10/${part}/`, shared));
      const pixels: Uint8Array[] = [];
      const labels: number[] = [];
      for (const [label, name] of readdirSync(root).toSorted().entries())
        for (const file of readdirSync(join(root, name)).toSorted().slice(0, perClass)) {
          pixels.push((await decodeImage(join(root, name, file))).data);
          labels.push(label);
        }
      return { crops: tensor('uint8', [labels.length, 32, 32, 3], new Uint8Array(Buffer.concat(pixels))), labels };
    };
    const model = await loadModel(fileURLToPath(new URL('models/cifar10_resnet20.onnx', shared)));
    const float = networkToLogits(model.graph, 'logits', 10);
    const { graph } = await toInt8(engine, float, spec, (await images('train', 10)).crops);
    const { crops, labels } = await images('test', 100);
    const accuracy = async (form: typeof graph): Promise<number> => {
      const logits = await logitsOf(engine, form, spec, crops);
      const right = labels.filter((label, i) => {
        const row = [...logits.subarray(i * 10, (i + 1) * 10)];
        return row.indexOf(Math.max(...row)) === label;
      });
      return right.length / labels.length;
    };
    const before = await accuracy(float);
    expect(before).toBeGreaterThan(0.9);
    expect(await accuracy(graph)).toBeGreaterThan(before - 0.01);
  });
});
