import { describe, expect, it } from 'vitest';
import { gradient } from '../../src/autodiff/gradient.ts';
import { prepare } from '../../src/autodiff/prepare.ts';
import { lower } from '../../src/lowering/lower.ts';
import type { Target } from '../../src/lowering/target.ts';
import { gradientNorm, hasZoo, loadZooModel, relativeError, ZOO_MODELS } from '../support/zoo.ts';
import { blockSize, run } from './engine.ts';

const block = await blockSize();
const TARGETS: readonly Target[] = block === 1 ? [{ kind: 'plain' }] : [{ kind: 'plain' }, { kind: 'blocked', block }];

describe.skipIf(!hasZoo)('the zoo on the engine: what PyTorch computes', () => {
  for (const target of TARGETS)
    it.each(ZOO_MODELS)(`%s, ${target.kind}`, async (name) => {
      const model = await loadZooModel(name);
      const { graph, tensors, parameters, feeds } = model;
      const step = gradient(prepare(graph).graph, 'loss', parameters);
      const lowered = lower(step.graph, target, { parameters, gradients: step.gradients });
      const results = await run(lowered.graph, Object.fromEntries(feeds));

      expect(results['logits']!.shape).toEqual(tensors.get('logits')!.shape);
      expect(relativeError(results['logits']!, tensors.get('logits')!)).toBeLessThan(1e-4);
      expect(relativeError(results['loss']!, tensors.get('loss')!)).toBeLessThan(1e-4);
      const together = gradientNorm(model);
      for (const parameter of parameters) {
        const found = lowered.layouts.get(parameter)!.unpack(results[step.gradients.get(parameter)!]!);
        const expected = tensors.get(`grad/${parameter}`)!;
        expect(found.shape).toEqual(expected.shape);
        expect(relativeError(found, expected, 1e-4 * together), parameter).toBeLessThan(1e-3);
      }
    });
});
