import type { ImageElement } from '../element.ts';
import type { Fill } from '../../images/sample.ts';
import { OPERATIONS } from '../operations.ts';
import type { Drawn, Parameters } from '../parameters.ts';
import { commonParameters } from './common-parameters.ts';
import type { Step } from '../step.ts';
import { AUTOAUGMENT_POLICIES } from './auto-augment-tables.ts';
import { stepsAtDrawnSign, strongOperation } from './magnitude.ts';

/**
 * AutoAugment (Cubuk et al. 2019, arXiv:1805.09501): one of 25 pairs of operations an image, as published for CIFAR-10,
 * ImageNet or SVHN. Magnitudes as torchvision has them: factors go either way.
 */
export const autoAugment: ImageElement = {
  level: 'image',
  name: 'autoaugment',
  about: 'One of 25 pairs of operations, found by search on a known data set',
  parameters: {
    policy: {
      kind: 'choice',
      about: 'the data set that the pairs were found on',
      choices: ['imagenet', 'cifar10', 'svhn'],
      default: 'imagenet',
    },
    ...commonParameters,
  },
  sequences: 'none',
  texts: false,
  draw({ arguments: given }, site) {
    const { stream } = site;
    if (stream.uniform() >= (given['p'] as number)) return [];
    const pairs = AUTOAUGMENT_POLICIES[given['policy'] as keyof typeof AUTOAUGMENT_POLICIES];
    const steps: Step[] = [];
    for (const [name, probability, magnitude] of pairs[stream.integer(pairs.length)]!) {
      if (stream.uniform() >= probability) continue;
      if (name === 'invert') steps.push(...OPERATIONS.get(name)!.steps({} as Drawn<Parameters>, site));
      else
        steps.push(...stepsAtDrawnSign(strongOperation(name), levelOf(name, magnitude), site, given['fill'] as Fill));
    }
    return steps;
  },
};

/** Ten magnitudes from nothing to the strongest; bits to keep are whole numbers. */
function levelOf(name: string, magnitude: number | undefined): number {
  if (magnitude === undefined) return 1;
  return name === 'posterize' ? Math.round((magnitude * 4) / 9) / 4 : magnitude / 9;
}
