import { randomStream } from '../../../src/core/random.ts';
import type { Pixels } from '../../../src/images/pixels.ts';

/** Images with what photos have: soft shades, hard edges, texture, flat parts, saturated and pale colours. */
export function pictures(width = 64, height = 48): Pixels[] {
  return [scene(width, height), texture(width, height), patches(width, height)];
}

function picture(
  width: number,
  height: number,
  colour: (x: number, y: number) => readonly [number, number, number],
): Pixels {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      data.set(
        colour(x / width, y / height).map((value) => Math.min(255, Math.max(0, Math.round(value)))),
        (y * width + x) * 3,
      );
  return { width, height, data };
}

/** A sky over a ground, a red disc, a dark post. */
function scene(width: number, height: number): Pixels {
  const { normal } = randomStream('scene');
  return picture(width, height, (x, y) => {
    const grain = 3 * normal();
    if ((x - 0.35) ** 2 + (y - 0.4) ** 2 < 0.03) return [205 + grain, 60 + 80 * y, 45 + grain];
    if (x > 0.7 && x < 0.78 && y > 0.2) return [35 + grain, 30 + grain, 40 + grain];
    return y < 0.55
      ? [90 + 90 * y + grain, 140 + 60 * y + grain, 225 - 20 * y + grain]
      : [120 - 50 * x + 4 * grain, 105 + 40 * y + 4 * grain, 60 + 4 * grain];
  });
}

/** Cloth: waves of several lengths, in a pale colour. */
function texture(width: number, height: number): Pixels {
  const { normal } = randomStream('texture');
  return picture(width, height, (x, y) => {
    const waves = 28 * Math.sin(9 * x + 5 * y) + 16 * Math.sin(31 * y - 12 * x) + 9 * Math.sin(70 * x) + 5 * normal();
    return [150 + waves, 135 + 0.9 * waves, 110 + 0.7 * waves];
  });
}

/** Patches of drawn colours, each with its own slope. */
function patches(width: number, height: number): Pixels {
  const { uniform, normal } = randomStream('patches');
  const colours = Array.from({ length: 12 }, () => [20 + 215 * uniform(), 20 + 215 * uniform(), 20 + 215 * uniform()]);
  return picture(width, height, (x, y) => {
    const [red, green, blue] = colours[Math.floor(x * 4) + 4 * Math.floor(y * 3)]!;
    const shade = 25 * Math.sin(6 * (x + y)) + 2 * normal();
    return [red! + shade, green! + shade, blue! + shade];
  });
}

/** Mean distance of the values of two images of one size. */
export function meanChange(one: Pixels, other: Pixels): number {
  let sum = 0;
  for (let i = 0; i < one.data.length; i++) sum += Math.abs(one.data[i]! - other.data[i]!);
  return sum / one.data.length;
}
