import { describe, expect, it } from 'vitest';
import { InputError } from '../../../src/core/errors.ts';
import { buildModel } from '../../../src/models/registry.ts';
import { parsePreprocessing } from '../../../src/models/preprocessing.ts';
import { deployableGraph } from '../../../src/export/deployable.ts';
import { writeModel } from '../../../src/onnx/write.ts';
import type { Network } from '../../../src/recipes/networks/network.ts';
import type { LabelledSample } from '../../../src/recipes/prepare-data.ts';
import { resolveTrainOptions, type TrainOptions } from '../../../src/recipes/train-options.ts';
import { describeNoise } from '../../../src/recipes/training/training-noise.ts';
import { planTraining } from '../../../src/recipes/training/training-plan.ts';
import { trainingSteps, type TrainingSteps } from '../../../src/recipes/training/training-steps.ts';
import { describeSizes, preprocessingIn } from '../../../src/recipes/training/smaller-images.ts';
import { compileStep } from '../../../src/train/compile-step.ts';
import { forwardWithLoss } from '../../../src/train/gradient-graph.ts';

const preprocessing = parsePreprocessing({ inputSize: [32, 32], mean: [128, 128, 128], std: [64, 64, 64] }, 'the test');
function network(name: string, dropout = 0): Network {
  const { graph } = buildModel(name, { classes: 2, inputSize: 32, seed: 1, dropout });
  return { graph, input: 'input', logits: 'logits', preprocessing, head: [] };
}
const resnet = network('cifar_resnet8');
const resolve = (options: Partial<TrainOptions>) => resolveTrainOptions({ data: 'photos', epochs: 10, ...options });

function steps(of: Network, options: Partial<TrainOptions>): TrainingSteps {
  const resolved = resolve(options);
  const samples = Array.from({ length: 8 }, (_, i) => ({ label: i % 2 }) as LabelledSample);
  const plan = planTraining(resolved, 'scratch', samples.length);
  return trainingSteps(of, plan, resolved, samples, 2, { kind: 'plain' });
}

describe('noise in training', () => {
  it('is in the graph that trains, and in nothing that labels, evaluates or is exported', () => {
    const options = { stochasticDepth: 0.3, dropout: 0.5 };
    const { phases } = steps(resnet, options);
    const { masks } = compileStep(phases[0]!.step);
    expect(masks.map(({ rate }) => Number(rate.toFixed(6)))).toEqual([0.1, 0.2, 0.3, 0.5]);
    expect(masks.map(({ shape }) => String(shape))).toEqual(['8,1,1,1', '8,1,1,1', '8,1,1,1', '8,64']);
    // The masks decide: the step's own forward graph depends on each of them.
    const { graph } = forwardWithLoss(phases[0]!.step, []);
    const read = new Set(graph.nodes.flatMap(({ inputs }) => inputs));
    for (const { input } of masks) expect(read.has(input), input).toBe(true);

    const classes = ['a', 'b'];
    const deployed = deployableGraph({ ...resnet, classes });
    expect([...resnet.graph.nodes, ...deployed.nodes].map(({ opType }) => opType)).not.toContain('Dropout');
    const untouched = deployableGraph({ ...network('cifar_resnet8'), classes });
    expect(writeModel({ graph: deployed })).toEqual(writeModel({ graph: untouched }));
  });

  it('is off where it is not asked for; a network that has dropout of its own keeps it', () => {
    const count = (of: Network, options: Partial<TrainOptions>) =>
      compileStep(steps(of, options).phases[0]!.step).masks.map(({ rate }) => Number(rate.toFixed(6)));
    expect(count(resnet, {})).toEqual([]);
    expect(count(network('digits', 0.2), {})).toEqual([0.2]);
    expect(count(network('digits', 0.2), { dropout: 0.4 })).toEqual([0.4]);
    expect(count(network('digits', 0.2), { dropout: 0 })).toEqual([]);
  });

  it('says at how many additions, and refuses a network without them', () => {
    expect(describeNoise(resnet, resolve({ stochasticDepth: 0.3 }))).toContain(
      'stochastic depth at 3 residual additions',
    );
    expect(describeNoise(network('digits'), resolve({ dropout: 0.5 }))).toBe(
      'Noise in training: dropout of 0.5 before the head.',
    );
    expect(describeNoise(resnet, resolve({ dropout: 0 }))).toBeUndefined();
    expect(() => describeNoise(network('digits'), resolve({ stochasticDepth: 0.3 }))).toThrow(InputError);
  });
});

describe('training on smaller images first', () => {
  const sizes = (options: Partial<TrainOptions>) =>
    steps(resnet, options).phases.map(({ fromEpoch, step }) => [
      fromEpoch,
      compileStep(step).images.shape[0],
      step.parameters.length,
    ]);
  const all = steps(resnet, {}).phases[0]!.step.parameters.length;

  it('is one phase, and the full size another, whose parameters are the same', () => {
    expect(sizes({ trainSize: 24 })).toEqual([
      [1, 24, all],
      [9, 32, all],
    ]);
    expect(sizes({ trainSize: 16, finalEpochs: 4 })).toEqual([
      [1, 16, all],
      [7, 32, all],
    ]);
  });

  it('goes with gradual unfreezing, wherever its phases begin', () => {
    const unfrozen = steps(resnet, { unfreezeEpochs: 4 }).phases;
    expect(unfrozen.map(({ fromEpoch }) => fromEpoch)).toEqual([1, 2, 3, 4, 5]);
    const trained = (epoch: number) => unfrozen.findLast(({ fromEpoch }) => fromEpoch <= epoch)!.step.parameters.length;
    // Full size from epoch 4, and from epoch 3 and a half of the unfreezing: at a boundary and between.
    for (const [finalEpochs, switchAt] of [
      [7, 4],
      [3, 8],
    ] as const) {
      const found = sizes({ trainSize: 16, finalEpochs, unfreezeEpochs: 4 });
      expect(found.map(([from]) => from)).toEqual([...new Set([1, 2, 3, 4, 5, switchAt])].toSorted((a, b) => a! - b!));
      for (const [from, side, parameters] of found)
        expect([side, parameters]).toEqual([from! < switchAt ? 16 : 32, trained(from!)]);
    }
  });

  it('has the same noise at both sizes, by the same names: the masks of a step do not depend on its phase', () => {
    const { phases } = steps(resnet, { trainSize: 24, stochasticDepth: 0.3, dropout: 0.5 });
    const [small, full] = phases.map(({ step }) => compileStep(step).masks);
    expect(small).toHaveLength(4);
    expect(small).toEqual(full);
  });

  it('knows the size of each epoch', () => {
    const side = (epoch: number) => preprocessingIn(epoch, preprocessing, 10, { trainSize: 24 }).inputSize[0];
    expect([1, 8, 9, 10].map(side)).toEqual([24, 24, 32, 32]);
    expect(preprocessingIn(1, preprocessing, 10, {}).inputSize).toEqual([32, 32]);
    const wide = { ...preprocessing, inputSize: [32, 64] as const };
    expect(preprocessingIn(1, wide, 10, { trainSize: 24 }).inputSize).toEqual([24, 48]);
    expect(describeSizes(resnet, 10, { trainSize: 24 })).toContain('24x24 in epochs 1 to 8, 32x32 from then on');
  });

  it.each([
    [{ trainSize: 32 }, 'ends at the network'],
    [{ trainSize: 24, finalEpochs: 10 }, 'leave none'],
    [{ trainSize: 24, epochs: 1 }, 'leave none'],
  ])('can not be %j', (options, message) => {
    const { epochs, ...sizeOptions } = resolve(options);
    const check = () => describeSizes(resnet, epochs!, sizeOptions);
    expect(check).toThrow(InputError);
    expect(check).toThrow(message);
  });

  it.each([
    [{ finalEpochs: 2 }, '"trainSize", which is missing'],
    [{ trainSize: 24, patience: 2 }, '"patience" could end training'],
    [{ trainSize: 24, method: 'probe' }, '"trainSize" has no effect'],
    [{ stochasticDepth: 0.1, method: 'probe' }, '"stochasticDepth" has no effect'],
    [{ stochasticDepth: 1 }, 'stochasticDepth: '],
    [{ dropout: 1 }, 'dropout: '],
  ] as const)('and the options %j are refused', (options, message) => {
    expect(() => resolve(options)).toThrow(InputError);
    expect(() => resolve(options)).toThrow(message);
  });
});
