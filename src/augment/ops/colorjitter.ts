import { shuffled } from '../../core/random.ts';
import { operation } from '../operation.ts';
import type { RangeParameter } from '../parameters.ts';
import { brightness } from './brightness.ts';
import { contrast } from './contrast.ts';
import { hue } from './hue.ts';
import { saturation } from './saturation.ts';

const factor = {
  kind: 'range',
  min: 0,
  max: 10,
  identity: 1,
  single: 'around',
  default: [0.6, 1.4],
} as const satisfies Omit<RangeParameter, 'about'>;

/** Brightness, contrast, saturation and hue in an order that is drawn (torchvision's `ColorJitter`). */
export const colorJitter = operation({
  name: 'colorjitter',
  about: 'Brightness, contrast, saturation and hue, in random order',
  group: 'colour',
  parameters: {
    brightness: { about: 'factor; 0 is black', ...factor },
    contrast: { about: 'factor; 0 is grey all over', ...factor },
    saturation: { about: 'factor; 0 is grey', ...factor },
    hue: {
      kind: 'range',
      about: 'turns of the colour circle',
      min: -0.5,
      max: 0.5,
      identity: 0,
      single: 'around',
      default: [-0.1, 0.1],
    },
  },
  probability: 1,
  risk: 'recoloured',
  steps: (values, site) => {
    const parts = [
      () => brightness.steps({ factor: values.brightness }, site),
      () => contrast.steps({ factor: values.contrast }, site),
      () => saturation.steps({ factor: values.saturation }, site),
      () => hue.steps({ turn: values.hue }, site),
    ];
    return shuffled(parts, site.stream).flatMap((steps) => steps());
  },
  strength: {
    signed: true,
    at: (level, sign) => {
      const stronger = 1 + sign * 0.9 * level;
      return { brightness: stronger, contrast: stronger, saturation: stronger, hue: sign * 0.5 * level };
    },
  },
});
