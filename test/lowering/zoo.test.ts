import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { gradient } from '../../src/autodiff/gradient.ts';
import { prepare } from '../../src/autodiff/prepare.ts';
import { readSafetensorsFile } from '../../src/core/safetensors.ts';
import { toNumbers, type Tensor } from '../../src/core/tensor.ts';
import { lower, type Target } from '../../src/lowering/lower.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { loadModel } from '../../src/onnx/read.ts';
import { specialize } from '../../src/onnx/specialize.ts';
import { blockSize, run } from './engine.ts';

const ZOO = new URL('../../../shared/models/zoo/', import.meta.url);
const MODELS = [
  'byobnet_fused',
  'convnext_dynamo',
  'convnext_eval',
  'efficientnet_fused',
  'efficientnet_train',
  'mobilenetv3_fused',
  'mobilenetv3_train',
  'resnet_eval',
  'resnet_fused',
  'resnet_train',
  'vit_dynamo',
  'vit_eval',
];
const block = await blockSize();
const TARGETS: readonly Target[] = block === 1 ? [{ kind: 'plain' }] : [{ kind: 'plain' }, { kind: 'blocked', block }];

const norm = (values: readonly number[]): number => Math.sqrt(values.reduce((sum, x) => sum + x * x, 0));

describe.skipIf(!existsSync(ZOO))('the zoo on the engine: what PyTorch computes', () => {
  for (const target of TARGETS)
    it.each(MODELS)(`%s, ${target.kind}`, async (name) => {
      const file = (path: string): string => fileURLToPath(new URL(`${name}/${path}`, ZOO));
      const { tensors } = await readSafetensorsFile(file('expected.safetensors'));
      const parameters = [...tensors.keys()].flatMap((key) => (key.startsWith('grad/') ? [key.slice(5)] : []));
      const { graph } = await loadModel(file('model.onnx'));
      const input = graph.inputs[0]!.name;
      const images = tensors.get('input')!;
      const b = GraphBuilder.from(
        specialize(graph, { inputs: { [input]: [...images.shape] }, keep: new Set(parameters) }),
      );
      b.input('labels', 'int64', [images.shape[0]!]);
      b.output(b.op('SoftmaxCrossEntropyLoss', ['logits', 'labels']), 'loss');
      const step = gradient(prepare(b.build()).graph, 'loss', parameters);
      const lowered = lower(step.graph, target, { parameters, gradients: step.gradients });
      const results = await run(lowered.graph, { [input]: images, labels: tensors.get('labels')! });

      const error = (found: Tensor, expected: Tensor, floor = 0): number => {
        expect(found.shape).toEqual(expected.shape);
        const [g, reference] = [toNumbers(found), toNumbers(expected)];
        return norm(g.map((x, i) => x - reference[i]!)) / Math.max(norm(reference), floor);
      };
      expect(error(results['logits']!, tensors.get('logits')!)).toBeLessThan(1e-4);
      const loss = { ...results['loss']!, shape: [1] };
      expect(error(loss, tensors.get('loss')!)).toBeLessThan(1e-4);
      const together = norm(parameters.map((parameter) => norm(toNumbers(tensors.get(`grad/${parameter}`)!))));
      for (const parameter of parameters) {
        const layout = lowered.layouts.get(parameter)!;
        const found = layout.unpack(results[step.gradients.get(parameter)!]!);
        const worst = error(found, tensors.get(`grad/${parameter}`)!, 1e-4 * together);
        expect(worst, parameter).toBeLessThan(1e-3);
      }
    });
});
