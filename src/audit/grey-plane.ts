import type { Pixels } from '../images/pixels.ts';
import { luma } from '../images/stretched.ts';

/** Luma of an image, [height, width], 0..255. */
export interface GreyPlane {
  readonly width: number;
  readonly height: number;
  readonly luma: Float32Array;
}

export function greyPlane({ width, height, data }: Pixels): GreyPlane {
  return { width, height, luma: luma(data) };
}
