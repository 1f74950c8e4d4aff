import type { GreyPlane } from './grey-plane.ts';

/**
 * Fine detail, at the scale of the image that is given.
 * - sharpness: log2 of the Laplacian's variance over the luma's: how much of the contrast is in the finest detail (the
 *   variance of the Laplacian is Pech-Pacheco 2000's measure of focus; divided, contrast does not count);
 * - noise: log2 of the standard deviation of the grain in grey levels, plus a quarter, by the median response to
 *   Immerkaer's mask (1996), which is blind to edges and slopes; the median leaves textures out where flat parts exist.
 */
export function measureDetail({ width, height, luma }: GreyPlane): { sharpness: number; noise: number } {
  if (width < 3 || height < 3) return { sharpness: Number.NaN, noise: Number.NaN };
  const responses = new Uint32Array(2048);
  let [sum, squares, laplacianSum, laplacianSquares] = [0, 0, 0, 0];
  for (let y = 1; y < height - 1; y++)
    for (let x = 1, at = y * width + 1; x < width - 1; x++, at++) {
      const middle = luma[at]!;
      const cross = luma[at - 1]! + luma[at + 1]! + luma[at - width]! + luma[at + width]!;
      const corners = luma[at - width - 1]! + luma[at - width + 1]! + luma[at + width - 1]! + luma[at + width + 1]!;
      const laplacian = cross - 4 * middle;
      sum += middle;
      squares += middle * middle;
      laplacianSum += laplacian;
      laplacianSquares += laplacian * laplacian;
      // In quarters of a grey level.
      const response = Math.round(4 * Math.abs(corners - 2 * cross + 4 * middle));
      responses[response < 2048 ? response : 2047]!++;
    }
  const count = (width - 2) * (height - 2);
  const variance = squares / count - (sum / count) ** 2;
  const laplacianVariance = laplacianSquares / count - (laplacianSum / count) ** 2;
  let below = 0;
  let median = 0;
  while (below + responses[median]! < count / 2) below += responses[median++]!;
  const within = responses[median] === 0 ? 0 : (count / 2 - below) / responses[median]! - 0.5;
  // The mask has norm 6; 0.6745 is the median of |N(0, 1)|.
  const deviation = Math.max(0, median + within) / 4 / 6 / 0.6745;
  return {
    sharpness: variance < 1 ? Number.NaN : Math.log2((laplacianVariance + 0.25) / variance),
    noise: Math.log2(deviation + 0.25),
  };
}
