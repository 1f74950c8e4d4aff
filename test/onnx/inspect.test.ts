import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { zeros } from '../../src/core/tensor.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { summarize } from '../../src/onnx/inspect.ts';
import { loadModel, readModel } from '../../src/onnx/read.ts';
import { specialize } from '../../src/onnx/specialize.ts';
import { whyUntrainable } from '../../src/onnx/trainability.ts';

const golden = (file: string) => readModel(readFileSync(new URL(`golden/models/${file}`, import.meta.url))).graph;

describe('summarize', () => {
  // Counted by hand: elements of the result times the length of the sum behind each.
  it.each([
    ['conv.11.onnx', 4 * 3 * 3 * 3 + 4, 2 * 4 * 4 * 4 * 27],
    ['conv_depthwise.11.onnx', 6 * 9, 2 * 6 * 3 * 6 * 9],
    ['convtranspose.11.onnx', 3 * 2 * 9, 2 * 3 * 4 * 5 * 2 * 9],
    ['gemm.11.onnx', 4 * 5 + 5, 3 * 5 * 4],
    ['matmul_batched.13.onnx', 5 * 4 * 2, 2 * 5 * 3 * 2 * 4],
    ['fusedmatmul.13.onnx', 2 * 5 * 4, 2 * 3 * 5 * 4],
    ['einsum_0.12.onnx', 40, 2 * 3 * 5 * 4],
    ['einsum_2.12.onnx', 40, 2 * 3 * 5 * 4],
    ['attention_flat.24.onnx', 0, 2 * 3 * 5 * 8 + 2 * 3 * 5 * 12],
    ['attention_heads.24.onnx', 0, 2 * 4 * 3 * 5 * (8 + 6)],
    ['batchnorm.14.onnx', 6, 0],
    ['clip_both.11.onnx', 0, 0],
    ['int4.21.onnx', 15, 2 * 5 * 3],
    ['qlinearconv.13.onnx', 4 * 27, 4 * 25 * 27],
  ])('%s: %i parameters, %i multiply-adds', (file, parameters, multiplyAdds) => {
    expect(summarize(specialize(golden(file), {}))).toMatchObject({ parameters, multiplyAdds });
  });

  it('counts a shared weight once, and says where sizes are open', () => {
    const b = new GraphBuilder('shared');
    const w = b.initializer('w', zeros('float32', [3, 3]));
    const x = b.input('x', 'float32', ['N', 3]);
    b.output(b.op('MatMul', [b.op('MatMul', [x, w]), w]), 'y');
    const graph = b.build();
    expect(summarize(graph)).toMatchObject({ parameters: 9, multiplyAdds: undefined });
    expect(summarize(specialize(graph, { dims: { N: 1 } }))).toMatchObject({ parameters: 9, multiplyAdds: 18 });
  });
});

describe('whyUntrainable', () => {
  it.each([
    ['float16.13.onnx', /float16 \("w"\).*export the result as float16/],
    ['int4.21.onnx', /stored as int4 \("w"\).*Train the float32 model/],
    ['qlinearconv.13.onnx', /computes in integers.*QLinearConv/],
    ['dynamic_quantized.13.onnx', /computes in integers.*DynamicQuantizeLinear/],
    ['quantize.13.onnx', /rounds its activations to integers/],
    ['relu.11.onnx', /no parameters/],
  ])('%s', (file, reason) => {
    expect(whyUntrainable(golden(file))).toMatch(reason);
  });

  it('has nothing against a float32 model', () => {
    expect(whyUntrainable(golden('conv.11.onnx'))).toBeUndefined();
  });
});

const shared = new URL('../../../shared/models/', import.meta.url);

async function load(file: string): Promise<Graph> {
  return specialize((await loadModel(fileURLToPath(new URL(file, shared)))).graph, { dims: { N: 1 } });
}

describe.skipIf(!existsSync(shared))('models of ../shared', () => {
  // 300 M multiply-adds at 224: table 4 of the MobileNetV2 paper (arXiv:1801.04381).
  it('MobileNetV2 has the multiply-adds of its paper', async () => {
    const { multiplyAdds } = summarize(await load('mobilenet_v2_1.0_224.onnx'));
    expect(multiplyAdds! / 1e6).toBeCloseTo(300, -1);
  });

  // 0.27 M parameters: table 6 of the ResNet paper (arXiv:1512.03385).
  it('ResNet-20 has the parameters of its paper', async () => {
    const { parameters } = summarize(await load('cifar10_resnet20.onnx'));
    expect(parameters / 1e6).toBeCloseTo(0.27, 2);
  });

  it('stored integers count as the floats they stand for', async () => {
    const [floats, integers] = await Promise.all(
      ['mobilenet_v2_1.0_224.onnx', 'mobilenet_v2_1.0_224.int8-weights.onnx'].map(load),
    );
    expect(summarize(integers!).parameters).toBe(summarize(floats!).parameters);
    expect(whyUntrainable(integers!)).toMatch(/stored as uint8/);
  });
});
