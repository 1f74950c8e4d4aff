import type { BatchElement } from '../element.ts';
import { mixingParameters } from './mixer.ts';
import { MIXERS } from './mixers.ts';

/** `switch(cutmix(1), mixup(0.2))`: one of several mixers, each with equal chance, drawn for each image or once a batch. */
export const switchMixers: BatchElement = {
  level: 'batch',
  name: 'switch',
  about: 'One of several ways of mixing, drawn with equal chance',
  parameters: mixingParameters,
  sequences: 'many',
  texts: false,
  check({ sequences }, problem) {
    for (const sequence of sequences) {
      const [first] = sequence;
      if (sequence.length !== 1 || first!.name === 'switch' || !MIXERS.has(first!.name))
        throw problem(`"switch" chooses between single mixers, as in switch(cutmix(1),mixup(0.2)).`);
      if (first!.arguments['per'] !== 'element' || first!.arguments['off'] !== 0)
        throw problem('"per" and "off" are told to the switch, not to what it chooses from.');
    }
  },
};
