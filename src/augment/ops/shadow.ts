import type { RandomStream } from '../../core/random.ts';
import type { Pixels, Size } from '../../images/pixels.ts';
import { mixTowards } from '../mix-towards.ts';
import { operation } from '../operation.ts';
import { reused } from '../reused.ts';

/** Shadows with straight, soft edges: convex shapes of 3 to 5 corners, each a third of the image or more across. */
export const shadow = operation({
  name: 'shadow',
  about: 'The shadows of things beside the scene',
  group: 'weather',
  parameters: {
    darkness: {
      kind: 'range',
      about: 'share of the light that is missing in the shadow',
      min: 0,
      max: 1,
      identity: 0,
      single: 'from identity',
      default: [0.2, 0.6],
    },
    count: {
      kind: 'number',
      about: 'shadows; where they meet it is no darker',
      min: 1,
      max: 20,
      integer: true,
      default: 1,
    },
  },
  probability: 0.5,
  steps: ({ darkness, count }, { image, stream }) => {
    const shapes = Array.from({ length: count }, () => drawShape(image, stream));
    return [{ kind: 'filter', run: (pixels) => addShadows(pixels, darkness, shapes) }];
  },
  strength: { signed: false, at: (level) => ({ darkness: 0.9 * level }) },
});

/** A convex shape by its edges: of each, a normal of length 1 and the distance that is inside at the origin. */
type Shape = readonly (readonly [x: number, y: number, offset: number])[];

function drawShape({ width, height }: Size, stream: RandomStream): Shape {
  const [centreX, centreY] = [stream.uniform() * width, stream.uniform() * height];
  const radius = (0.35 + 0.4 * stream.uniform()) * Math.max(width, height);
  const sides = 3 + stream.integer(3);
  const start = stream.uniform();
  return Array.from({ length: sides }, (_, i) => {
    const angle = ((start + i + 0.6 * (stream.uniform() - 0.5)) / sides) * 2 * Math.PI;
    const [x, y] = [Math.cos(angle), Math.sin(angle)];
    // The inner circle of a regular shape of this radius.
    const distance = radius * Math.cos(Math.PI / sides);
    return [-x, -y, distance + x * centreX + y * centreY];
  });
}

const memory = reused((length) => new Float32Array(length));

function addShadows(image: Pixels, darkness: number, shapes: readonly Shape[]): Pixels {
  const { width, height } = image;
  const shares = memory(width * height).fill(0, 0, width * height);
  // The penumbra is as wide as 4 % of the shorter side.
  const perPixel = 1 / Math.max(1, 0.04 * Math.min(width, height));
  for (const shape of shapes)
    for (let y = 0, at = 0; y < height; y++)
      for (let x = 0; x < width; x++, at++) {
        let inside = Number.POSITIVE_INFINITY;
        for (const edge of shape) {
          const distance = edge[0] * (x + 0.5) + edge[1] * (y + 0.5) + edge[2];
          if (distance < inside) inside = distance;
        }
        const share = darkness * Math.min(1, inside * perPixel + 0.5);
        if (share > shares[at]!) shares[at] = share;
      }
  mixTowards(image, [0, 0, 0], shares);
  return image;
}
