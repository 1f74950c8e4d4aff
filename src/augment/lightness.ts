import type { Pixels } from '../images/pixels.ts';
import { encoded, LIGHT } from './srgb.ts';

/** Steps of the tables of light; at the darkest a step is a twentieth of a unit of L*. */
const STEPS = 1 << 14;

/** CIE's f, nearly a cube root: of light, relative to white. */
const F: Float32Array = Float32Array.from({ length: STEPS + 1 }, (_, i) => {
  const light = i / STEPS;
  return light > 216 / 24_389 ? Math.cbrt(light) : (841 / 108) * light + 4 / 29;
});

/** What is stored, 0..255, of light. */
const STORED: Uint8Array = Uint8Array.from({ length: STEPS + 1 }, (_, i) => Math.round(255 * encoded(i / STEPS)));

/** CIE L* (of sRGB under D65), 0..255 for 0..100. @param into [height, width] */
export function lightnessOf({ data }: Pixels, into: Uint8Array): void {
  for (let i = 0, at = 0; at < data.length; i++, at += 3) {
    const y = 0.212671 * LIGHT[data[at]!]! + 0.71516 * LIGHT[data[at + 1]!]! + 0.072169 * LIGHT[data[at + 2]!]!;
    into[i] = 2.55 * (116 * F[(y * STEPS + 0.5) | 0]! - 16) + 0.5;
  }
}

/** Gives each pixel another L*, in place; its a* and b* stay. @param from,to [height, width], 0..255 for 0..100 */
export function changeLightness({ data }: Pixels, from: Uint8Array, to: Uint8Array): void {
  for (let i = 0, at = 0; at < data.length; i++, at += 3) {
    const step = to[i]! - from[i]!;
    if (step === 0) continue;
    const change = step / (2.55 * 116);
    const [r, g, b] = [LIGHT[data[at]!]!, LIGHT[data[at + 1]!]!, LIGHT[data[at + 2]!]!];
    // Relative to white: each row adds up to 1.
    const x = light(F[((0.433953 * r + 0.376219 * g + 0.189828 * b) * STEPS + 0.5) | 0]! + change);
    const y = light(F[((0.212671 * r + 0.71516 * g + 0.072169 * b) * STEPS + 0.5) | 0]! + change);
    const z = light(F[((0.017758 * r + 0.109477 * g + 0.872765 * b) * STEPS + 0.5) | 0]! + change);
    data[at] = stored(3.07993 * x - 1.53715 * y - 0.54278 * z);
    data[at + 1] = stored(-0.92123 * x + 1.87599 * y + 0.04524 * z);
    data[at + 2] = stored(0.05289 * x - 0.20404 * y + 1.15115 * z);
  }
}

/** The inverse of CIE's f. */
function light(f: number): number {
  return f > 6 / 29 ? f * f * f : (108 / 841) * (f - 4 / 29);
}

function stored(value: number): number {
  return value <= 0 ? 0 : value >= 1 ? 255 : STORED[(value * STEPS + 0.5) | 0]!;
}
