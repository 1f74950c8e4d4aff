import type { Pixels } from '../../images/pixels.ts';
import { operation } from '../operation.ts';
import { drawGrainSeed, NORMAL_MASK, NORMALS, randomWords, type GrainSeed } from '../random-words.ts';
import { encoded, LIGHT } from '../srgb.ts';

/**
 * The noise of a sensor at high sensitivity: its variance is a part that grows with the light (photons) and a part that does not (read-out), as
 * in Foi et al., 2008, both seen through sRGB's curve, which makes it strongest in the shadows. Part of it is grain that all channels share, part
 * each channel's own, which is seen as specks of colour.
 */
export const isoNoise = operation({
  name: 'isonoise',
  about: "A sensor's noise at high sensitivity: strongest in the shadows, with specks of colour",
  group: 'noise',
  parameters: {
    intensity: {
      kind: 'range',
      about: 'share of the strongest, which has a standard deviation of about 50 grey levels in middle grey',
      min: 0,
      max: 1,
      identity: 0,
      single: 'from identity',
      default: [0.05, 0.3],
    },
    colour: {
      kind: 'range',
      about: "share of the noise that is each channel's own",
      min: 0,
      max: 1,
      identity: undefined,
      single: 'exactly',
      default: [0.3, 0.6],
    },
  },
  probability: 0.5,
  steps: ({ intensity, colour }, { stream }) => {
    const seed = drawGrainSeed(stream);
    return [{ kind: 'filter', run: (image) => addSensorNoise(image, intensity, colour, seed) }];
  },
  strength: { signed: false, at: (level) => ({ intensity: level }) },
});

/** Standard deviation, in grey levels, of each value at an intensity of 1. */
const DEVIATIONS: Float64Array = Float64Array.from(LIGHT, (light) => {
  // Light is 0..1: variances of photons in white and of read-out.
  const deviation = Math.sqrt(0.0555 * light + 0.0005);
  // Of a value near the border half of the noise lies outside: the slope is that of the chord.
  const [low, high] = [Math.max(0, light - deviation), Math.min(1, light + deviation)];
  return ((encoded(high) - encoded(low)) / (high - low)) * deviation * 255;
});

function addSensorNoise(image: Pixels, intensity: number, colour: number, seed: GrainSeed): Pixels {
  const { data } = image;
  const shared = Math.sqrt(1 - colour) * intensity;
  const own = Math.sqrt(colour) * intensity;
  const words = randomWords(seed, (data.length / 3) * 2);
  for (let at = 0, i = 0; at < data.length; at += 3, i += 2) {
    const one = words[i]!;
    const two = words[i + 1]!;
    const grain = shared * NORMALS[one & NORMAL_MASK]!;
    const r = data[at]!;
    const g = data[at + 1]!;
    const b = data[at + 2]!;
    const red = r + DEVIATIONS[r]! * (grain + own * NORMALS[(one >>> 16) & NORMAL_MASK]!) + 0.5;
    const green = g + DEVIATIONS[g]! * (grain + own * NORMALS[two & NORMAL_MASK]!) + 0.5;
    const blue = b + DEVIATIONS[b]! * (grain + own * NORMALS[(two >>> 16) & NORMAL_MASK]!) + 0.5;
    data[at] = red <= 0 ? 0 : red >= 255 ? 255 : red;
    data[at + 1] = green <= 0 ? 0 : green >= 255 ? 255 : green;
    data[at + 2] = blue <= 0 ? 0 : blue >= 255 ? 255 : blue;
  }
  return image;
}
