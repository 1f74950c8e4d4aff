import type { Rgb } from '../images/pixels.ts';

/**
 * Chromaticity (CIE 1931) of a black body.
 * @param kelvin 1667..25000
 * Source: Kim et al., US patent 7024034; the cubic approximation of the Planckian locus.
 */
export function planckianLocus(kelvin: number): [x: number, y: number] {
  const t = 1000 / kelvin;
  const x =
    kelvin <= 4000
      ? ((-0.2661239 * t - 0.234358) * t + 0.8776956) * t + 0.17991
      : ((-3.0258469 * t + 2.1070379) * t + 0.2226347) * t + 0.24039;
  const y =
    kelvin <= 2222
      ? ((-1.1063814 * x - 1.3481102) * x + 2.18555832) * x - 0.20219683
      : kelvin <= 4000
        ? ((-0.9549476 * x - 1.37418593) * x + 2.09137015) * x - 0.16748867
        : ((3.081758 * x - 5.8733867) * x + 3.75112997) * x - 0.37001483;
  return [x, y];
}

/** What each channel's light is multiplied by, seen beside 6500 K; a grey keeps its luminance. */
export function daylightGains(kelvin: number): Rgb {
  const [light, daylight] = [linearRgb(kelvin), linearRgb(6500)];
  const ratios = light.map((value, channel) => Math.max(0, value) / daylight[channel]!);
  const luminance = ratios.reduce((sum, ratio, channel) => sum + ratio * LUMINANCE[channel]!, 0);
  return ratios.map((ratio) => ratio / luminance) as unknown as Rgb;
}

/** Of the primaries of sRGB. */
const LUMINANCE = [0.2126, 0.7152, 0.0722] as const;

/** In sRGB's primaries, of luminance 1. */
function linearRgb(kelvin: number): Rgb {
  const [x, y] = planckianLocus(kelvin);
  const [X, Z] = [x / y, (1 - x - y) / y];
  return [3.2406 * X - 1.5372 - 0.4986 * Z, -0.9689 * X + 1.8758 + 0.0415 * Z, 0.0557 * X - 0.204 + 1.057 * Z];
}
