import type { Tensor } from '../core/tensor.ts';
import { featureDistance } from '../losses/feature-distance.ts';
import { TEACHER } from './distillation-objective.ts';
import type { Objective } from './objective.ts';

/** A teacher's features are learnt; labels play no part. */
export interface ImitationLoss {
  readonly name: 'imitation';
  /** D, of the teacher's features; what stands for the logits is as wide. */
  readonly width: number;
}

/**
 * 1 less the cosine of the angle between what the network says and the teacher's features, the mean over images: half the squared
 * distance of both made of length 1. The teacher's features come with the batch as what it answers.
 */
export function imitation({ width }: ImitationLoss): Objective {
  return {
    rows: 1,
    outputs: [],
    targets: new Map([[TEACHER.logits, [width]]]),
    state: new Map(),
    divisor: (labels: Tensor): number => labels.shape[0]!,
    add(b, { logits, targets, scale }) {
      const distance = { distance: 'cosine', reduction: 'sum' } as const;
      const sum = featureDistance(b, logits, targets.get(TEACHER.logits)!, distance);
      return { loss: b.op('Mul', [sum, scale], {}, { name: 'loss' }) };
    },
  };
}
