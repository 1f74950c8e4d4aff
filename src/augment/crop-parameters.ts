import type { Size } from '../images/pixels.ts';
import type { Site } from './operation.ts';
import { translation } from '../images/matrix.ts';
import { copying } from './sampling-parameters.ts';
import type { Sampling, Warp } from './step.ts';

/** The side of what a crop makes. */
export const sizeParameter = {
  size: {
    kind: 'number',
    about: "both sides of the result in pixels; without it, the network's input",
    min: 1,
    max: 4096,
    integer: true,
    default: undefined,
  },
} as const;

export function cropSizeOf(size: number | undefined, { input }: Site): Size {
  return size === undefined ? { width: input.width, height: input.height } : { width: size, height: size };
}

/** Whole pixels from (left, top) on, which may lie outside the image. */
export function cropAt(left: number, top: number, size: Size, fill: Sampling['fill']): Warp {
  return { kind: 'warp', size, matrix: translation(left, top), ...copying(fill) };
}
