import { operation } from '../operation.ts';

/** Turns the hue through HSV; value and saturation stay (torchvision's `adjust_hue`). */
export const hue = operation({
  name: 'hue',
  about: 'All hues turned by the same angle',
  group: 'colour',
  parameters: {
    turn: {
      kind: 'range',
      about: 'turns of the colour circle; 1/3 makes red green',
      min: -0.5,
      max: 0.5,
      identity: 0,
      single: 'around',
      default: [-0.05, 0.05],
    },
  },
  probability: 1,
  risk: 'recoloured',
  steps: ({ turn }) => (turn === 0 ? [] : [{ kind: 'point', needs: 'nothing', make: () => ({ hue: turn }) }]),
  strength: { signed: true, at: (level, sign) => ({ turn: sign * 0.5 * level }) },
});
