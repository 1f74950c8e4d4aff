import { operation } from '../operation.ts';
import { channelTable } from '../tables.ts';

/**
 * Adds colour along the principal axes of the colours of natural photos ("fancy PCA", Krizhevsky et al., 2012): weights are drawn from a
 * normal distribution, one for each axis. Axes and their variances are those of ImageNet, as in fb.resnet.torch.
 */
export const lighting = operation({
  name: 'lighting',
  about: 'Colour added along the principal axes of the colours of natural photos',
  group: 'colour',
  parameters: {
    stddev: {
      kind: 'range',
      about: "standard deviation of each axis' weight",
      min: 0,
      max: 10,
      identity: 0,
      single: 'exactly',
      default: [0.1, 0.1],
    },
  },
  probability: 1,
  risk: 'recoloured',
  steps: ({ stddev }, { stream }) => {
    const weights = VALUES.map((value) => 255 * value * stddev * stream.normal());
    const shifts = VECTORS.map((row) => row.reduce((sum, part, axis) => sum + part * weights[axis]!, 0));
    return [
      {
        kind: 'point',
        needs: 'nothing',
        make: () => ({ table: channelTable((value, channel) => value + shifts[channel]!) }),
      },
    ];
  },
  strength: { signed: false, at: (level) => ({ stddev: level }) },
});

/** Of values 0..1. */
const VALUES = [0.2175, 0.0188, 0.0045] as const;

/** Rows are red, green, blue; columns are axes. */
const VECTORS = [
  [-0.5675, 0.7192, 0.4009],
  [-0.5808, -0.0045, -0.814],
  [-0.5836, -0.6948, 0.4203],
] as const;
