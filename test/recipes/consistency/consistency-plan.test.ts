import { describe, expect, it } from 'vitest';
import { averageDecayOf, consistencyLoss, planConsistency } from '../../../src/recipes/consistency/consistency-plan.ts';
import { planTraining } from '../../../src/recipes/training/training-plan.ts';
import { resolveTrainOptions, type TrainOptions } from '../../../src/recipes/train-options.ts';

const planOf = (options: Partial<TrainOptions>, method: 'finetune' | 'scratch' = 'scratch') =>
  planConsistency(resolveTrainOptions({ data: 'x', method: 'fixmatch', ...options }), 'fixmatch', method, {
    batchSize: 16,
    images: 8000,
  });

describe('the plan of a training with unlabelled images', () => {
  it('takes an epoch for a pass over the unlabelled images, and as many as the steps need', () => {
    // 8,000 images, 16 times 7 a step: 72 steps.
    expect(planOf({ epochs: 3 })).toMatchObject({ epochs: 3, stepsPerEpoch: 72 });
    expect(planOf({ steps: 600 })).toMatchObject({ epochs: 9, stepsPerEpoch: 67 });
    expect(planOf({ steps: 10 })).toMatchObject({ epochs: 1, stepsPerEpoch: 10 });
  });

  it('mirrors nothing from scratch unless told, and a backbone’s images', () => {
    expect(planOf({}).weak.text).not.toContain('flip');
    expect(planOf({}).strong.text).not.toContain('flip');
    expect(planOf({ flip: 'on' }).weak.text).toContain('flip');
    expect(planOf({}, 'finetune').strong.text).toContain('flip');
    expect(planOf({ flip: 'off' }, 'finetune').strong.text).not.toContain('flip');
    expect(planOf({ weak: 'evaluationcrop' }).strong.text).toMatch(/^evaluationcrop\|randaugment.*cutout$/);
  });

  it('has half-lives of 2 % of the training for all averages', () => {
    const plan = planOf({ steps: 500 });
    const steps = plan.epochs * plan.stepsPerEpoch;
    const { halfLife, samples } = consistencyLoss(plan, { batchSize: 16, classes: 10, smoothing: 0 });
    expect(samples).toBe(steps * 16);
    expect(halfLife / samples).toBeCloseTo(0.02, 10);
    expect(averageDecayOf(plan) ** (0.02 * steps)).toBeCloseTo(0.5, 10);
  });

  it('replaces parts of a method, and is what training is planned by', () => {
    const options = resolveTrainOptions({
      data: 'x',
      method: 'uda',
      threshold: 0.7,
      unsupervisedWeight: 3,
      align: 'uniform',
      annealing: 'linear',
      debias: 0.5,
      labeller: 'average',
    });
    const plan = planTraining(options, 'scratch', 100, 8000);
    expect(plan.consistency!.parts).toMatchObject({
      threshold: { kind: 'fixed', value: 0.7 },
      weight: 3,
      alignment: { to: 'uniform', of: 'labels' },
      annealing: 'linear',
      debias: 0.5,
      labeller: 'average',
      target: { kind: 'sharpened', temperature: 0.4 },
    });
    expect(plan).toMatchObject({ labelSmoothing: 0, batchSize: 32, epochs: plan.consistency!.epochs });
    expect(plan.augment).toBe(plan.consistency!.weak);
    expect(planTraining(resolveTrainOptions({ data: 'x' }), 'scratch', 100).consistency).toBeUndefined();
  });
});
