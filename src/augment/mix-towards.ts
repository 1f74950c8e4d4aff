import type { Pixels, Rgb } from '../images/pixels.ts';

/** Brings each pixel nearer to a colour, in place. @param shares [height, width], 0..1: how far */
export function mixTowards({ data }: Pixels, [red, green, blue]: Rgb, shares: Float32Array): void {
  for (let i = 0, at = 0; at < data.length; i++, at += 3) {
    const share = shares[i]!;
    if (share === 0) continue;
    const [r, g, b] = [data[at]!, data[at + 1]!, data[at + 2]!];
    data[at] = r + share * (red - r) + 0.5;
    data[at + 1] = g + share * (green - g) + 0.5;
    data[at + 2] = b + share * (blue - b) + 0.5;
  }
}
