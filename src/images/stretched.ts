import { resizedCrop } from './crops.ts';
import { DEFAULT_MAX_PIXELS, decodeWith, readHeader, readImageFile } from './decode.ts';

/**
 * The whole upright image resized to a square, whatever its aspect, for comparing images with each other.
 * A large JPEG is reduced while it is decoded.
 * @returns [side, side, 3] uint8 RGB
 * @throws ImageError as `decodeImage`.
 */
export async function decodeStretched(
  path: string,
  side: number,
  maxPixels: number = DEFAULT_MAX_PIXELS,
): Promise<Uint8Array> {
  const bytes = await readImageFile(path, maxPixels);
  const header = await readHeader(bytes, '', maxPixels);
  // sharp enlarges a quarter of a pixel off the centre (so that a mirrored copy comes out different): only
  // reducing is left to it.
  const reduce = Math.min(header.width, header.height) >= side;
  const { data, info } = await decodeWith(bytes, header, maxPixels, (image) =>
    reduce ? image.resize(side, side, { fit: 'fill', kernel: 'cubic' }) : image,
  );
  const { width, height } = info;
  if (reduce) return data;
  if (Math.max(width, height) <= side) return enlarged(data, width, height, side);
  const result = new Uint8Array(side * side * 3);
  resizedCrop(data, width, { left: 0, top: 0, width, height }, [side, side], false, result);
  return result;
}

/** Cubic convolution (Keys 1981, a = -0.5), which keeps more of the contrast of fine detail than linear. */
function enlarged(rgb: Uint8Array, width: number, height: number, side: number): Uint8Array {
  const [across, down] = [cubicTaps(width, side), cubicTaps(height, side)];
  const rows = new Float32Array(height * side * 3);
  for (let y = 0, to = 0; y < height; y++)
    for (let x = 0; x < side; x++)
      for (let channel = 0; channel < 3; channel++, to++)
        for (let k = 4 * x; k < 4 * x + 4; k++)
          rows[to]! += across.weights[k]! * rgb[(y * width + across.pixels[k]!) * 3 + channel]!;
  const stride = side * 3;
  const result = new Uint8Array(side * stride);
  for (let y = 0, to = 0; y < side; y++)
    for (let i = 0; i < stride; i++, to++) {
      let sum = 0;
      for (let k = 4 * y; k < 4 * y + 4; k++) sum += down.weights[k]! * rows[down.pixels[k]! * stride + i]!;
      result[to] = Math.min(255, Math.max(0, Math.round(sum)));
    }
  return result;
}

/** Four source pixels and their weights for each of `to` pixels; the edge is continued. */
function cubicTaps(from: number, to: number): { pixels: Int32Array; weights: Float32Array } {
  const pixels = new Int32Array(4 * to);
  const weights = new Float32Array(4 * to);
  for (let i = 0; i < to; i++) {
    const centre = ((i + 0.5) * from) / to - 0.5;
    const first = Math.floor(centre) - 1;
    for (let k = 0; k < 4; k++) {
      pixels[4 * i + k] = Math.min(from - 1, Math.max(0, first + k));
      weights[4 * i + k] = cubic(Math.abs(first + k - centre));
    }
  }
  return { pixels, weights };
}

function cubic(x: number): number {
  return x < 1 ? (1.5 * x - 2.5) * x * x + 1 : x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

/** Luma of ITU-R BT.601. @param rgb [n, 3] @returns [n], 0 to 255 */
export function luma(rgb: Uint8Array): Float32Array {
  const grey = new Float32Array(rgb.length / 3);
  for (let i = 0, at = 0; i < grey.length; i++, at += 3)
    grey[i] = 0.299 * rgb[at]! + 0.587 * rgb[at + 1]! + 0.114 * rgb[at + 2]!;
  return grey;
}
