import { operation } from '../operation.ts';
import { channelTable } from '../tables.ts';

/** Adds a drawn number to each channel (Albumentations' `RGBShift`). */
export const rgbShift = operation({
  name: 'rgbshift',
  about: 'A number added to each channel: for each, a drawn share (-1..1) of the greatest',
  group: 'colour',
  parameters: {
    greatest: {
      kind: 'range',
      about: 'grey levels',
      min: 0,
      max: 255,
      identity: 0,
      single: 'exactly',
      default: [20, 20],
    },
  },
  probability: 1,
  risk: 'recoloured',
  steps: ({ greatest }, { stream }) => {
    const shifts = [0, 1, 2].map(() => greatest * (2 * stream.uniform() - 1));
    return [
      {
        kind: 'point',
        needs: 'nothing',
        make: () => ({ table: channelTable((value, channel) => value + shifts[channel]!) }),
      },
    ];
  },
  strength: { signed: false, at: (level) => ({ greatest: 100 * level }) },
});
