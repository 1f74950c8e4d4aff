import type { RandomStream } from '../../core/random.ts';
import type { Pixels, Size } from '../../images/pixels.ts';
import { mixTowards } from '../mix-towards.ts';
import { operation } from '../operation.ts';
import { reused } from '../reused.ts';

/** The sun in or near the picture's upper half: a glow about it, and rings of light between the lenses on the line through the centre. */
export const sunFlare = operation({
  name: 'sunflare',
  about: 'The sun shines into the lens: a glow and spots of light',
  group: 'weather',
  parameters: {
    intensity: {
      kind: 'range',
      about: "share of the light that is the sun's where it stands",
      min: 0,
      max: 1,
      identity: 0,
      single: 'from identity',
      default: [0.2, 0.7],
    },
    radius: {
      kind: 'range',
      about: "the glow's radius as a share of the shorter side: at it a seventh is left",
      min: 0.01,
      max: 3,
      identity: undefined,
      single: 'exactly',
      default: [0.3, 0.8],
    },
  },
  probability: 0.5,
  risk: 'cut',
  steps: ({ intensity, radius }, { image, stream }) => {
    const glows = drawGlows(image, radius, stream);
    return [{ kind: 'filter', run: (pixels) => addGlows(pixels, intensity, glows) }];
  },
  strength: { signed: false, at: (level) => ({ intensity: level }) },
});

interface Glow {
  readonly x: number;
  readonly y: number;
  readonly radius: number;
  readonly strength: number;
  /** How sharp its edge is: the exponent of exp(-2 (d / radius)^n). */
  readonly falls: 2 | 8;
}

function drawGlows({ width, height }: Size, radius: number, stream: RandomStream): Glow[] {
  const side = Math.min(width, height);
  const [x, y] = [(stream.uniform() * 1.2 - 0.1) * width, (stream.uniform() * 0.6 - 0.1) * height];
  const glows: Glow[] = [{ x, y, radius: radius * side, strength: 1, falls: 2 }];
  for (let i = 0; i < 4; i++) {
    const along = 0.4 + 1.4 * stream.uniform();
    glows.push({
      x: x + along * (width / 2 - x),
      y: y + along * (height / 2 - y),
      radius: (0.02 + 0.08 * stream.uniform()) * side,
      strength: 0.1 + 0.2 * stream.uniform(),
      falls: 8,
    });
  }
  return glows;
}

/** Warm white. */
const COLOUR = [255, 248, 230] as const;

const memory = reused((length) => new Float32Array(length));

function addGlows(image: Pixels, intensity: number, glows: readonly Glow[]): Pixels {
  const { width, height } = image;
  const shares = memory(width * height).fill(0, 0, width * height);
  for (const { x, y, radius, strength, falls } of glows) {
    // Beyond it less than a thousandth is left.
    const reach = radius * 3.5 ** (2 / falls);
    const clamped = (value: number, to: number): number => Math.min(to, Math.max(0, Math.floor(value)));
    const [left, right] = [clamped(x - reach, width), clamped(x + reach + 1, width)];
    for (let row = clamped(y - reach, height); row < clamped(y + reach + 1, height); row++)
      for (let column = left; column < right; column++) {
        const square = ((column + 0.5 - x) ** 2 + (row + 0.5 - y) ** 2) / (radius * radius);
        const share = intensity * strength * Math.exp(-2 * (falls === 2 ? square : square ** 4));
        // Light is added to light: each takes its share of what is not yet white.
        shares[row * width + column]! += share * (1 - shares[row * width + column]!);
      }
  }
  mixTowards(image, COLOUR, shares);
  return image;
}
