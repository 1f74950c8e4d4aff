import { describe, expect, it } from 'vitest';
import { InputError } from '../../../src/core/errors.ts';
import { onPixels } from '../../../src/recipes/networks/network.ts';
import type { LabelledSample, TrainingData } from '../../../src/recipes/prepare-data.ts';
import { openSelfTrainNetworks } from '../../../src/recipes/self-training/self-train-networks.ts';
import {
  resolveSelfTrainOptions,
  type SelfTrainOptions,
} from '../../../src/recipes/self-training/self-train-options.ts';
import { studentPlan } from '../../../src/recipes/self-training/student.ts';
import { trainingSteps } from '../../../src/recipes/training/training-steps.ts';
import { compileStep } from '../../../src/train/compile-step.ts';

const classes = ['a', 'b'];
const train = Array.from({ length: 8 }, (_, i) => ({ label: i % 2, width: 32, height: 32 }) as LabelledSample);
const data = { classes, train, unlabeled: train } as unknown as TrainingData;
const open = (options: Partial<SelfTrainOptions>) => {
  const resolved = resolveSelfTrainOptions({ data: 'photos', batchSize: 8, ...options });
  return openSelfTrainNetworks(resolved, data, {}).then((networks) => ({ ...networks, resolved }));
};

describe('openSelfTrainNetworks', () => {
  it('gives students noise in their step, of which nothing is in what labels', async () => {
    const { rounds, resolved } = await open({ model: 'cifar_resnet8', inputSize: 32, rounds: 1 });
    const { opened, options } = rounds[0]!;
    const { plan } = studentPlan(resolved, options, { labelled: 8, unlabelled: 8 });
    const network = opened.untrained();
    const { phases } = trainingSteps(network, plan, options, train, 2, { kind: 'plain' }, { machineLabelled: 8 });
    const { masks } = compileStep(phases[0]!.step);
    expect(masks.map(({ rate }) => Number(rate.toFixed(3)))).toEqual([0.033, 0.067, 0.1, 0.2]);
    expect(plan.augment.text).toContain('randaugment');
    // A mask is an input; what labels takes pixels and nothing else, and its dropout is not in training.
    const labelling = onPixels(network.graph, network.logits, network.preprocessing);
    expect(labelling.inputs.map(({ name }) => name)).toEqual(['crop']);
    const dropouts = labelling.nodes.filter(({ opType }) => opType === 'Dropout');
    for (const { inputs } of dropouts) expect(inputs.length).toBeLessThan(3);
  });

  it('takes the noise that is asked for, and none where there is no place for it', async () => {
    const asked = await open({ model: 'cifar_resnet8', inputSize: 32, stochasticDepth: 0.3, dropout: 0 });
    expect(asked.rounds[0]!.options).toMatchObject({ stochasticDepth: 0.3, dropout: 0 });
    const { rounds } = await open({ model: 'digits' });
    expect(rounds[0]!.options).toMatchObject({ stochasticDepth: 0, dropout: 0.2 });
    await expect(open({ model: 'digits', stochasticDepth: 0.1 })).rejects.toThrow(InputError);
  });

  it('opens the network of every round, and the last one, each once', async () => {
    const { base, rounds, final } = await open({
      model: 'digits',
      grow: 'cifar_resnet8@32,cifar_resnet20@32',
      rounds: 3,
      final: 'cifar_resnet8@32',
    });
    expect(base.source.name).toBe('digits');
    expect(rounds.map(({ opened }) => opened.source.name)).toEqual([
      'cifar_resnet8',
      'cifar_resnet20',
      'cifar_resnet20',
    ]);
    expect(rounds[2]).toBe(rounds[1]);
    expect(final).toBe(rounds[0]);
    const alone = await open({ model: 'digits', rounds: 2 });
    expect(alone.rounds.map(({ opened }) => opened)).toEqual([alone.base, alone.base]);
  });

  it('checks the policy of students before anything is trained', async () => {
    await expect(open({ model: 'digits', augment: "randomresizedcrop|only('emu',flip)" })).rejects.toThrow(InputError);
  });
});
