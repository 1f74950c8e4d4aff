import type { ImageElement } from '../element.ts';
import type { Fill } from '../../images/sample.ts';
import { commonParameters } from './common-parameters.ts';
import { stepsAtDrawnSign, strongOperation } from './magnitude.ts';
import { RANDAUGMENT_OPERATIONS } from './rand-augment.ts';

/**
 * TrivialAugment (Müller and Hutter 2021, arXiv:2103.10158), the wide space as torchvision has it: one operation an image,
 * its magnitude drawn evenly up to a wider limit than RandAugment's.
 */
export const trivialAugment: ImageElement = {
  level: 'image',
  name: 'trivialaugment',
  about: 'One operation, at a magnitude drawn evenly from a wide range',
  parameters: {
    ...commonParameters,
  },
  sequences: 'none',
  texts: false,
  draw({ arguments: given }, site) {
    const { stream } = site;
    if (stream.uniform() >= (given['p'] as number)) return [];
    const name = RANDAUGMENT_OPERATIONS[stream.integer(RANDAUGMENT_OPERATIONS.length)]!;
    const share = stream.uniform();
    if (name === 'identity') return [];
    const level = share * (name.startsWith('translate') ? wideTranslation(site.image.width) : (WIDEST[name] ?? 1));
    return stepsAtDrawnSign(strongOperation(name), level, site, given['fill'] as Fill);
  },
};

/** How far the wide space reaches, in levels: shear 0.99 of 0.3, rotation 135 of 30 degrees, factors 0.99 of 0.9, 2 bits after 4. */
const WIDEST: Readonly<Record<string, number>> = {
  shearx: 3.3,
  sheary: 3.3,
  rotate: 4.5,
  brightness: 1.1,
  saturation: 1.1,
  contrast: 1.1,
  sharpness: 1.1,
  posterize: 1.5,
};

/** 32 pixels, which is all of a CIFAR image and a seventh of a larger one; RandAugment's limit is 150 of 331. */
function wideTranslation(side: number): number {
  return Math.min(1, 32 / side) / (150 / 331);
}
