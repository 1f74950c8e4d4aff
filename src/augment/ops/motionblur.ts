import { convolveTaps, type Tap } from '../convolve.ts';
import { operation } from '../operation.ts';

/** As if the camera moved straight on while the shutter was open. */
export const motionBlur = operation({
  name: 'motionblur',
  about: 'Moved during the exposure: the mean along a line',
  group: 'blur',
  parameters: {
    length: {
      kind: 'range',
      about: 'pixels that the movement covers',
      min: 1,
      max: 100,
      identity: 1,
      single: 'from identity',
      default: [3, 7],
    },
    angle: {
      kind: 'range',
      about: 'degrees of the movement, counter-clockwise; 0 is level',
      min: -360,
      max: 360,
      identity: undefined,
      single: 'exactly',
      default: [-90, 90],
    },
  },
  probability: 0.5,
  steps: ({ length, angle }) => {
    if (length === 1) return [];
    return [
      {
        kind: 'filter',
        run: (image) => {
          convolveTaps(image, lineTaps(length, angle));
          return image;
        },
      },
    ];
  },
  strength: { signed: false, at: (level) => ({ length: 1 + 14 * level }) },
});

/**
 * A line about the centre, spread over the pixels that it passes: along its main direction each pixel has the share of it that the line
 * covers, across it two neighbours share by their distance.
 */
function lineTaps(length: number, degrees: number): Tap[] {
  const angle = (degrees * Math.PI) / 180;
  const [x, y] = [Math.cos(angle), -Math.sin(angle)];
  const isLevel = Math.abs(x) >= Math.abs(y);
  const slope = isLevel ? y / x : x / y;
  // Along the main direction; one pixel alone is a length of 1 whatever the angle.
  const half = ((length - 1) * Math.max(Math.abs(x), Math.abs(y)) + 1) / 2;
  const taps: Tap[] = [];
  const add = (along: number, across: number, weight: number): void => {
    if (weight > 1e-9) taps.push({ dx: isLevel ? along : across, dy: isLevel ? across : along, weight });
  };
  const reach = Math.ceil(half - 0.5);
  // From the centre outwards: it has the most weight.
  for (const along of Array.from({ length: 2 * reach + 1 }, (_, i) => (i % 2 === 0 ? -i / 2 : (i + 1) / 2))) {
    const covered = Math.min(1, half + 0.5 - Math.abs(along));
    const across = along * slope;
    const below = Math.floor(across);
    add(along, below, covered * (1 - across + below));
    add(along, below + 1, covered * (across - below));
  }
  return taps;
}
