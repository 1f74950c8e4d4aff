import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { readSafetensorsFile } from '../../src/core/safetensors.ts';
import { sizeOf, tensor } from '../../src/core/tensor.ts';
import type { BuiltModel } from '../../src/models/layers.ts';
import { loadWeights } from '../../src/models/load-weights.ts';
import { buildModel, defaultInputSize, modelFamilies } from '../../src/models/registry.ts';
import { vit } from '../../src/models/vit.ts';
import { int, type Graph } from '../../src/onnx/graph.ts';
import { loadModel } from '../../src/onnx/read.ts';
import { formulaWeights, noise } from './formula-weights.ts';
import { runGraph } from './run-graph.ts';

function parameterCount(model: BuiltModel): number {
  return model.parameters.reduce((sum, name) => sum + sizeOf(model.graph.initializers.get(name)!.shape), 0);
}

describe('the number of parameters', () => {
  // timm 1.0.31, 1,000 classes.
  test.each([
    ['resnet18', 11_689_512],
    ['resnet34', 21_797_672],
    ['resnet50', 25_557_032],
    ['mobilenetv2_050', 1_968_680],
    ['mobilenetv2_100', 3_504_872],
    ['mobilenetv2_140', 6_108_776],
    ['mobilenetv3_small_050', 1_593_224],
    ['mobilenetv3_small_075', 2_041_872],
    ['mobilenetv3_small_100', 2_542_856],
    ['mobilenetv3_large_075', 3_993_528],
    ['mobilenetv3_large_100', 5_483_032],
    ['efficientnet_lite0', 4_652_008],
    ['efficientnet_lite1', 5_416_680],
    ['efficientnet_lite2', 6_092_072],
    ['efficientnet_lite3', 8_197_096],
    ['efficientnet_lite4', 13_006_568],
    ['convnext_atto', 3_695_520],
    ['convnext_femto', 5_217_784],
    ['convnext_pico', 9_045_672],
    ['convnext_nano', 15_593_560],
    ['convnext_tiny', 28_589_128],
    ['vit_tiny_patch16_224', 5_717_416],
    ['vit_small_patch16_224', 22_050_664],
  ])('of %s is %i', (name, count) => {
    expect(parameterCount(buildModel(name, { classes: 1000 }))).toBe(count);
  });

  // Wide ResNet: table 1 of the paper (0.6M, 36.5M) and the 1.5M of FixMatch; ResNet-20, 56: table 6 of
  // He et al. (0.27M, 0.85M) plus projections; ResNet-18 with a 3x3 stem: 11.17M everywhere.
  test.each([
    ['wide_resnet_40_1', 10, 563_930],
    ['wide_resnet_28_2', 10, 1_467_610],
    ['wide_resnet_28_10', 10, 36_479_194],
    ['cifar_resnet20', 10, 272_474],
    ['cifar_resnet56', 10, 855_770],
    ['resnet18_3x3', 10, 11_173_962],
  ])('of %s with %i classes is %i', (name, classes, count) => {
    expect(parameterCount(buildModel(name, { classes }))).toBe(count);
  });
});

interface Golden {
  readonly inputSize: number;
  readonly parameters: number;
  readonly logits: readonly (readonly number[])[];
}
const golden = JSON.parse(readFileSync(new URL('golden/logits.json', import.meta.url), 'utf8')) as Record<
  string,
  Golden
>;

describe('with the same weights, the logits of PyTorch come out', () => {
  test.each(Object.entries(golden))('%s', async (name, { inputSize, parameters, logits }) => {
    const built = buildModel(name, { classes: 5, inputSize });
    expect(parameterCount(built)).toBe(parameters);
    const { model, missing, unexpected } = loadWeights(built, formulaWeights(built.graph));
    expect([missing, unexpected]).toEqual([[], []]);
    const shape = [2, 3, inputSize, inputSize];
    const outputs = await runGraph(
      model.graph,
      tensor('float32', shape, Float32Array.from(noise('input', sizeOf(shape)))),
    );
    const expected = logits.flat();
    const scale = Math.max(...expected.map(Math.abs));
    const worst = Math.max(
      ...Array.from(outputs['logits']!.data as Float32Array, (x, i) => Math.abs(x - expected[i]!)),
    );
    expect(worst / scale).toBeLessThan(1e-4);
    expect(outputs['embedding']!.dims).toEqual(model.graph.outputs[1]!.type.shape!.with(0, 2));
  });
});

test('dropout changes no answer outside training', async () => {
  const input = tensor('float32', [1, 3, 32, 32], Float32Array.from(noise('input', 3 * 32 * 32)));
  const [plain, dropped] = await Promise.all(
    [{}, { dropout: 0.5 }].map(async (options) => {
      const built = buildModel('cifar_resnet8', { classes: 4, ...options });
      return runGraph(loadWeights(built, formulaWeights(built.graph)).model.graph, input);
    }),
  );
  const difference = Array.from(
    plain!['logits']!.data as Float32Array,
    (x, i) => x - Number(dropped!['logits']!.data[i]),
  );
  expect(Math.max(...difference.map(Math.abs))).toBeLessThan(1e-6);
});

describe('buildModel', () => {
  test('draws the same weights for the same seed, others for another', () => {
    const [a, b, c] = [1, 1, 2].map(
      (seed) => buildModel('digits', { classes: 3, seed }).graph.initializers.get('stage1.conv1.weight')!.data,
    );
    expect(a).toEqual(b);
    expect(a).not.toEqual(c);
  });

  test('keeps the variance of activations through a deep network (He initialisation)', async () => {
    const { graph } = buildModel('cifar_resnet20', { classes: 10, seed: 3, width: 32 });
    for (const [name, { data, shape }] of graph.initializers) {
      if (shape.length !== 4) continue;
      const variance = (data as Float32Array).reduce((sum, x) => sum + x * x, 0) / data.length;
      const expected = 2 / (shape[0]! * shape[2]! * shape[3]!);
      // The relative error of a variance from n draws has a deviation of √(2/n).
      expect(Math.abs(variance / expected - 1), name).toBeLessThan(6 * Math.sqrt(2 / data.length));
    }
  });

  test('builds every name it lists', () => {
    for (const name of modelFamilies.flatMap((family) => family.names)) {
      if (/large|small_patch|tiny_|_28_10|nano|tiny|resnet(34|50)$|lite[34]$/.test(name)) continue;
      const { graph, inputSize } = buildModel(name, { classes: 2 });
      expect(inputSize).toBe(defaultInputSize(name));
      expect(graph.outputs.map((output) => output.name)).toEqual(['logits', 'embedding']);
      expect(graph.outputs[0]!.type.shape).toEqual(['N', 2]);
    }
  });

  test('says what is wrong with a name, a depth or an option', () => {
    expect(() => buildModel('resnet19', { classes: 2 })).toThrow(/no network "resnet19" \(did you mean "resnet18"\?\)/);
    expect(() => buildModel('cifar_resnet21', { classes: 2 })).toThrow('6n+2');
    expect(() => buildModel('wide_resnet', { classes: 2, depth: 20 })).toThrow('6n+4');
    expect(() => buildModel('convnext_atto', { classes: 2, width: 2 })).toThrow('takes no width');
    expect(() => buildModel('digits', { classes: 0 })).toThrow('classes of digits');
    expect(() => buildModel('digits', { classes: 2, dropout: 1 })).toThrow('dropout');
    expect(() => buildModel('vit_tiny_patch16_224', { classes: 2, inputSize: 100 })).toThrow('multiple of its patch');
  });
});

/** Every batch norm in training mode, as the file has it. */
function onBatchStatistics(graph: Graph): Graph {
  const nodes = graph.nodes.map((node) =>
    node.opType === 'BatchNormalization'
      ? {
          ...node,
          attributes: { ...node.attributes, training_mode: int(1) },
          outputs: [node.outputs[0]!, `${node.name}:mean`, `${node.name}:var`],
        }
      : node,
  );
  return { ...graph, nodes };
}

const zoo = new URL('../../../shared/models/zoo/', import.meta.url);
describe.skipIf(!existsSync(zoo))('with the weights of an exported network, its logits come out', () => {
  const small = { classes: 7, inputSize: 64 };
  test.each<[string, BuiltModel]>([
    ['vit_eval', vit('test_vit', { ...small, inputSize: 160, width: 64, depth: 6, heads: 2, patch: 16, mlpRatio: 3 })],
    ['mobilenetv3_train', buildModel('mobilenetv3_small_050', small)],
  ])('%s', async (name, built) => {
    const file = await loadModel(new URL(`${name}/model.onnx`, zoo).pathname);
    const { tensors } = await readSafetensorsFile(new URL(`${name}/expected.safetensors`, zoo).pathname);
    const { graph } = loadWeights(built, file.graph.initializers).model;
    const outputs = await runGraph(name.endsWith('train') ? onBatchStatistics(graph) : graph, tensors.get('input')!);
    const expected = tensors.get('logits')!.data as Float32Array;
    const worst = Math.max(
      ...Array.from(outputs['logits']!.data as Float32Array, (x, i) => Math.abs(x - expected[i]!)),
    );
    expect(worst / Math.max(...expected.map(Math.abs))).toBeLessThan(1e-4);
  });
});
