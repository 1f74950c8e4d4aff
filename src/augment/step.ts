import type { Kernels } from '../images/kernels.ts';
import type { Pixels, Size } from '../images/pixels.ts';
import type { Fill, Interpolation } from '../images/sample.ts';
import type { Matrix3 } from '../images/matrix.ts';

/**
 * What is left of an augmentation once its random numbers are drawn: steps on pixels. Neighbouring steps of one kind are
 * run as one (`run-steps.ts`): geometry by one sampling, tables by one look-up.
 */
export type Step = Warp | Remap | PointStep | KernelStep | FilterStep;

export interface Sampling {
  readonly interpolation: Interpolation;
  /** Averages over all source pixels of a result where the image shrinks. */
  readonly antialias: boolean;
  readonly fill: Fill;
}

/** A projective map: where each pixel of the result comes from. */
export interface Warp extends Sampling {
  readonly kind: 'warp';
  /** Of the result. */
  readonly size: Size;
  /** From a point of the result to one of the source. Pixel (x, y) has its centre at (x + 0.5, y + 0.5). */
  readonly matrix: Matrix3;
}

/** Any other geometry: the source point of each pixel of the result, of the same size as the source. */
export interface Remap extends Sampling {
  readonly kind: 'remap';
  /** [height, width, 2]: x and y of the source point; (0.5, 0.5) is the centre of the first pixel. */
  readonly points: Float32Array;
}

/** Each pixel by itself, with what was first found out about the whole image where it is asked for. */
export type PointStep =
  | { readonly kind: 'point'; readonly needs: 'nothing'; readonly make: () => PointMap }
  | { readonly kind: 'point'; readonly needs: 'histograms'; readonly make: (histograms: Histograms) => PointMap }
  | { readonly kind: 'point'; readonly needs: 'grey mean'; readonly make: (mean: number) => PointMap };

/** [3, 256]: how many pixels have each value of a channel. */
export type Histograms = Uint32Array;

export type PointMap =
  /** [3, 256]: the new value for each value of a channel. */
  | { readonly table: Uint8Array }
  /** [3, 4]: each new channel as a sum of red, green, blue (0..255) and a constant; rounded and clamped. */
  | { readonly matrix: Float64Array }
  /** Turns of the hue in HSV, -0.5..0.5. */
  | { readonly hue: number };

/** What the kernels have a loop for, or are told to do in their buffers, without copies. The size stays. */
export interface KernelStep {
  readonly kind: 'kernel';
  /** @param image where the kernels can read it, not to be written into; the result lies in another buffer */
  readonly run: (image: Pixels, kernels: Kernels) => Pixels;
}

/** Anything that looks at neighbours, draws or combines. May write into the image that it is given. */
export interface FilterStep {
  readonly kind: 'filter';
  readonly run: (image: Pixels) => Pixels;
  /** Of the result, where it is not the source's. */
  readonly size?: Size;
}
