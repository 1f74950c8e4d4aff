/** The curve of sRGB (IEC 61966-2-1): light, 0..1, to what is stored, 0..1. */
export function encoded(light: number): number {
  return light <= 0.0031308 ? light * 12.92 : 1.055 * light ** (1 / 2.4) - 0.055;
}

/** Light, 0..1, of each stored value, 0..255. */
export const LIGHT: Float64Array = Float64Array.from({ length: 256 }, (_, value) => {
  const stored = value / 255;
  return stored <= 0.04045 ? stored / 12.92 : ((stored + 0.055) / 1.055) ** 2.4;
});
