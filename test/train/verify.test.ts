import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSafetensorsFile } from '../../src/core/safetensors.ts';
import { fromNumbers, toNumbers, type Tensor } from '../../src/core/tensor.ts';
import type { Target } from '../../src/lowering/target.ts';
import { loadModel } from '../../src/onnx/read.ts';
import { blockSize } from '../../src/runtime/block-size.ts';
import { Engine } from '../../src/runtime/engine.ts';
import { VERIFY_LIMITS, verifyModel, type VerifyResult } from '../../src/train/verify.ts';

const scaled = (value: Tensor, factor: number): Tensor =>
  fromNumbers(
    value.dtype,
    value.shape,
    toNumbers(value).map((x) => x * factor),
  );

const zoo = new URL('../../../shared/models/zoo/', import.meta.url);

describe.skipIf(!existsSync(zoo))('against what PyTorch computed', () => {
  const names = existsSync(zoo) ? readdirSync(zoo).filter((name) => !name.includes('.')) : [];
  let engine: Engine;
  beforeAll(async () => {
    engine = await Engine.start({ device: 'cpu' });
  });
  afterAll(() => engine.dispose());

  it('there are twelve networks', () => expect(names).toHaveLength(12));

  it.each(names)('%s, in the lowering that training takes here', async (name) => {
    const block = await blockSize(engine);
    const result = await verify(name, block > 1 ? { kind: 'blocked', block } : { kind: 'plain' });
    expect(result).toMatchObject({ pass: true });
    expect(result.logits).toBeLessThan(VERIFY_LIMITS.logits);
    expect(result.loss).toBeLessThan(VERIFY_LIMITS.loss);
    expect(result.worstGradient).toBeLessThan(VERIFY_LIMITS.worstGradient);
    expect(result.buffers === null).toBe(!name.endsWith('_train'));
  });

  it.each(['resnet_train', 'vit_eval'])('%s, plain', async (name) => {
    expect(await verify(name, { kind: 'plain' })).toMatchObject({ pass: true });
  });

  it.each([
    ['logits', 'logits', 1.001],
    ['loss', 'loss', 1.001],
    ['worstGradient', 'grad/conv1.0.weight', 1.01],
    ['steps', 'loss_sgd_lr0.01_m0.9_nesterov_wd5e-4', 1.01],
  ] as const)('a recorded value that is wrong is seen: %s', async (key, name, factor) => {
    const result = await verify('resnet_eval', { kind: 'plain' }, (tensors) =>
      tensors.set(name, scaled(tensors.get(name)!, factor)),
    );
    expect(result.pass).toBe(false);
    expect(result[key]).toBeGreaterThan(VERIFY_LIMITS[key]);
    if (key === 'worstGradient') expect(result.worstGradientName).toBe('conv1.0.weight');
  });

  it('running statistics that are wrong are seen', async () => {
    const name = 'buffer_after_5/blocks.0.0.bn1.running_var';
    const result = await verify('efficientnet_train', { kind: 'plain' }, (tensors) =>
      tensors.set(name, scaled(tensors.get(name)!, 1.002)),
    );
    expect(result).toMatchObject({ pass: false });
    expect(result.buffers).toBeGreaterThan(1e-3);
  });

  it('what is not recorded is null and not checked', async () => {
    const result = await verify('resnet_eval', { kind: 'plain' }, (tensors) => {
      for (const key of Array.from(tensors.keys())) if (key !== 'input' && key !== 'logits') tensors.delete(key);
    });
    expect(result).toMatchObject({
      loss: null,
      worstGradient: null,
      worstGradientName: null,
      steps: null,
      buffers: null,
      pass: true,
    });
    expect(result.logits).toBeLessThan(1e-5);
  });

  it('a file that does not fit the model is refused by name', async () => {
    await expect(verify('resnet_eval', { kind: 'plain' }, (tensors) => tensors.delete('input'))).rejects.toThrow(
      'no tensor "input"',
    );
    await expect(
      verify('resnet_eval', { kind: 'plain' }, (tensors) => tensors.set('grad/nothing', tensors.get('loss')!)),
    ).rejects.toThrow('a gradient of "nothing", which the model has not');
  });

  async function verify(
    name: string,
    target: Target,
    change?: (tensors: Map<string, Tensor>) => unknown,
  ): Promise<VerifyResult> {
    const file = (part: string): string => fileURLToPath(new URL(`${name}/${part}`, zoo));
    const { graph } = await loadModel(file('model.onnx'));
    const { tensors } = await readSafetensorsFile(file('expected.safetensors'));
    const changed = new Map(tensors);
    change?.(changed);
    return verifyModel(engine, graph, { tensors: changed }, target);
  }
});
