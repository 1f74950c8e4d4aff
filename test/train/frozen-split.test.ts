import { afterAll, beforeAll, expect, it } from 'vitest';
import { int64, tensor, toNumbers, type Tensor } from '../../src/core/tensor.ts';
import { parsePreprocessing } from '../../src/models/preprocessing.ts';
import { buildModel } from '../../src/models/registry.ts';
import { writeModel } from '../../src/onnx/write.ts';
import { Engine } from '../../src/runtime/engine.ts';
import { compileStep } from '../../src/train/compile-step.ts';
import type { StepOptions } from '../../src/train/step-options.ts';
import { splitFrozen } from '../../src/train/frozen-split.ts';
import { TrainingStep, type StepBatch } from '../../src/train/training-step.ts';
import { randomStream } from '../../src/core/random.ts';
import { tinyStep } from './tiny.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await Engine.start({ device: 'cpu', threads: 1 });
});
afterAll(() => engine.dispose());

const SIDE = 32;
const BATCH = 4;
const preprocessing = parsePreprocessing(
  { inputSize: [SIDE, SIDE], mean: [100, 110, 120], std: [50, 60, 70] },
  'the test',
);

function stepOf(name: string, isTrained: (parameter: string) => boolean, changes: Partial<StepOptions> = {}) {
  const model = buildModel(name, { classes: 3, inputSize: SIDE, seed: 1 });
  return tinyStep(model, {
    parameters: model.parameters.filter(isTrained).map((p) => ({ name: p, group: 'body', decay: false })),
    images: { kind: 'pixels', preprocessing },
    microBatch: BATCH,
    ...changes,
  });
}

function pixelBatch(): StepBatch {
  const stream = randomStream('pixels');
  return {
    images: tensor(
      'uint8',
      [BATCH, SIDE, SIDE, 3],
      Uint8Array.from({ length: BATCH * SIDE * SIDE * 3 }, () => stream.integer(256)),
    ),
    labels: int64([0, 1, 2, 0]),
  };
}

interface Trained {
  readonly losses: number[];
  /** Parameters and running statistics. */
  readonly values: Map<string, number[]>;
}

async function train(options: StepOptions, batch: StepBatch): Promise<Trained> {
  const step = await TrainingStep.open(engine, compileStep(options));
  try {
    const losses: number[] = [];
    for (let i = 1; i <= 3; i++) losses.push((await step.run({ batch, step: i, rates: { body: 0.05 } })).loss);
    const { parameters, buffers } = await step.state();
    const values = new Map([...parameters, ...buffers].map(([name, value]) => [name, toNumbers(value)]));
    return { losses, values };
  } finally {
    await step.release();
  }
}

const largest = (values: readonly number[], atLeast: number): number =>
  values.reduce((max, x) => Math.max(max, Math.abs(x)), atLeast);

it.each([
  // Residual blocks: the frozen part ends inside one, behind its first convolution, and is cut before it.
  ['cifar_resnet20', (p: string) => /layer3\.2\.conv2|layer3\.2\.bn2|^fc/.test(p), 'batch'],
  ['cifar_resnet20', (p: string) => /layer3|^fc/.test(p), 'batch'],
  ['mobilenetv2_035', (p: string) => /^blocks\.6|conv_head|bn2|classifier/.test(p), 'frozen'],
  ['mobilenetv2_035', (p: string) => p.startsWith('classifier'), 'batch'],
] as const)('%s in two parts trains as in one', async (name, isTrained, batchNorm) => {
  const whole = stepOf(name, isTrained, { batchNorm });
  const split = splitFrozen(whole)!;
  expect(split.nodes).toBeGreaterThan(5);
  const session = await engine.load(writeModel({ graph: split.prefix }));
  const batch = pixelBatch();
  const { value } = await engine.run(session, { feeds: { pixels: batch.images } });
  await session.release();
  expect(value!.shape).toEqual([BATCH, ...split.shape]);

  const shape = [3, SIDE, SIDE];
  const expected = await train(
    { ...whole, images: { kind: 'values', shape } },
    { ...batch, images: normalised(batch.images) },
  );
  for (const got of [await train(whole, batch), await train(split.step, { ...batch, images: value! })])
    expectSame(got, expected);
});

/** (x - mean) / std, [N, 3, h, w]. */
function normalised({ data, shape }: Tensor): Tensor {
  const [n, h, w] = shape as [number, number, number];
  const pixels = h * w;
  const values = Float32Array.from({ length: n * 3 * pixels }, (_, i) => {
    const [image, channel, pixel] = [Math.floor(i / (3 * pixels)), Math.floor(i / pixels) % 3, i % pixels];
    const byte = (data as Uint8Array)[(image * pixels + pixel) * 3 + channel]!;
    return (byte - preprocessing.mean[channel]!) / preprocessing.std[channel]!;
  });
  return tensor('float32', [n, 3, h, w], values);
}

function expectSame(got: Trained, expected: Trained): void {
  expect(got.losses).toEqual(expected.losses.map((loss) => expect.closeTo(loss, 4)));
  expect(new Set(got.values.keys())).toEqual(new Set(expected.values.keys()));
  for (const [parameter, values] of expected.values) {
    const scale = largest(values, 1e-3);
    const worst = largest(
      got.values.get(parameter)!.map((x, i) => x - values[i]!),
      0,
    );
    expect(worst / scale, parameter).toBeLessThan(1e-4);
  }
}

it('keeps a step whole where nothing is frozen', () => {
  expect(splitFrozen(stepOf('cifar_resnet20', () => true))).toBeUndefined();
});

it('cuts before a dropout, which gives something else each time', () => {
  const model = buildModel('digits', { classes: 3, inputSize: SIDE, seed: 1, dropout: 0.5 });
  const step = tinyStep(model, {
    images: { kind: 'pixels', preprocessing },
    parameters: [{ name: 'fc.bias', group: 'body', decay: false }],
  });
  const split = splitFrozen(step)!;
  expect(split.step.graph.nodes.map(({ opType }) => opType)).toContain('Dropout');
  expect(split.prefix.nodes.map(({ opType }) => opType)).not.toContain('Dropout');
  expect(split.prefix.nodes.filter(({ opType }) => opType === 'Conv')).toHaveLength(6);
});
