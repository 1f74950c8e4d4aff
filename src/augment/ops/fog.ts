import { randomStream } from '../../core/random.ts';
import type { Pixels } from '../../images/pixels.ts';
import { cloud } from '../cloud.ts';
import { mixTowards } from '../mix-towards.ts';
import { operation } from '../operation.ts';
import { drawGrainSeed, type GrainSeed } from '../random-words.ts';
import { reused } from '../reused.ts';

/** Fog in patches: of each pixel's light a share is lost and replaced by the fog's own (Koschmieder's law, the depth being drawn). */
export const fog = operation({
  name: 'fog',
  about: 'Fog, thicker in places',
  group: 'weather',
  parameters: {
    intensity: {
      kind: 'range',
      about: 'share of the light that comes from the fog where it is thickest',
      min: 0,
      max: 1,
      identity: 0,
      single: 'from identity',
      default: [0.1, 0.5],
    },
  },
  probability: 0.5,
  steps: ({ intensity }, { stream }) => {
    const seed = drawGrainSeed(stream);
    return [{ kind: 'filter', run: (image) => addFog(image, intensity, seed) }];
  },
  strength: { signed: false, at: (level) => ({ intensity: 0.9 * level }) },
});

/** A white sky, a little blue. */
const COLOUR = [225, 228, 232] as const;

const memory = reused((length) => new Float32Array(length));

function addFog(image: Pixels, intensity: number, seed: GrainSeed): Pixels {
  const count = image.width * image.height;
  const shares = memory(count);
  cloud(image, randomStream('fog', seed), shares);
  for (let i = 0; i < count; i++) shares[i] = intensity * (0.4 + 0.6 * shares[i]!);
  mixTowards(image, COLOUR, shares);
  return image;
}
