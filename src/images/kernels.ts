import { blend } from './blend.ts';
import type { Box, Pixels, Size } from './pixels.ts';
import { channelSums, histograms, lookUp, mixColours, normalise, turnHue, type ChannelSums } from './point-kernels.ts';
import { resample, type Filter } from './resample.ts';
import { sharpen } from './sharpen.ts';
import { Slots } from './slots.ts';
import { plainRows, type Rows } from './warp.ts';

/** The loops over pixels that take most of the time, and the memory that they work in. */
export interface Kernels extends Rows {
  /**
   * An image to write into, in one of few buffers that are used again and again; none of those of `kept`. What it holds
   * is lost once its buffer is handed out again.
   */
  readonly buffer: (size: Size, ...kept: readonly Pixels[]) => Pixels;
  /** Part of an image, where the kernels can read it. The image itself where it is that already. */
  readonly take: (image: Pixels, box: Box) => Pixels;
  /** Whether an image lies in a buffer. */
  readonly owns: (image: Pixels) => boolean;
  /** Whether it may be written into, too: it is not held. */
  readonly ownsFreely: (image: Pixels) => boolean;
  /** Keeps the buffer of an image that was taken, until it was released as often as it was held. */
  readonly hold: (image: Pixels) => void;
  readonly release: (image: Pixels) => void;
  /** Rows, then columns, of an image that was taken. `between` is as wide as the result and as high as the source. */
  readonly resample: (source: Pixels, across: Filter, down: Filter, between: Pixels, into: Pixels) => void;
  /** In place; `table` [3, 256]. */
  readonly lookUp: (image: Pixels, table: Uint8Array) => void;
  /** In place; `matrix` [3, 4]: each new channel as a sum of red, green, blue and a constant. */
  readonly mixColours: (image: Pixels, matrix: Float64Array) => void;
  /** In place, by -0.5..0.5 turns. */
  readonly turnHue: (image: Pixels, turns: number) => void;
  readonly channelSums: (image: Pixels) => ChannelSums;
  /** [3, 256] */
  readonly histograms: (image: Pixels) => Uint32Array;
  /** See `sharpen.ts`. Both lie in buffers. */
  readonly sharpen: (source: Pixels, factor: number, into: Pixels) => void;
  /** See `blend.ts`. All lie in buffers. */
  readonly blend: (images: readonly Pixels[], weights: readonly number[], into: Pixels) => void;
  /** `planes`: [3, height, width], (value - mean) / std of each channel. The image may lie anywhere. */
  readonly normalise: (
    image: Pixels,
    mean: readonly number[],
    std: readonly number[],
    mirrored: boolean,
    planes: Float32Array,
  ) => void;
}

interface Buffered extends Pixels {
  readonly slot: number;
}

/** In plain TypeScript. */
export function plainKernels(): Kernels {
  const memory: Uint8Array[] = [];
  const slots = new Slots();
  const slotOf = (image: Pixels): number | undefined => (image as Partial<Buffered>).slot;
  const buffer: Kernels['buffer'] = ({ width, height }, ...kept) => {
    const slot = slots.free(kept.map(slotOf));
    const bytes = width * height * 3;
    if ((memory[slot]?.length ?? 0) < bytes) memory[slot] = new Uint8Array(bytes);
    return { width, height, data: memory[slot]!.subarray(0, bytes), slot } satisfies Buffered;
  };
  return {
    buffer,
    take: (image, box) => {
      if (isWhole(box, image)) return image;
      const part = buffer(box, image);
      copyBox(image, box, part.data);
      return part;
    },
    owns: (image) => slotOf(image) !== undefined,
    ownsFreely: (image) => slotOf(image) !== undefined && !slots.isHeld(slotOf(image)),
    hold: (image) => slots.hold(slotOf(image)),
    release: (image) => slots.release(slotOf(image)),
    resample,
    ...plainRows,
    lookUp,
    mixColours,
    turnHue,
    channelSums,
    histograms,
    sharpen,
    blend,
    normalise,
  };
}

export function isWhole({ left, top, width, height }: Box, image: Size): boolean {
  return left === 0 && top === 0 && width === image.width && height === image.height;
}

export function copyBox({ width, data }: Pixels, box: Box, into: Uint8Array): void {
  const bytes = box.width * 3;
  for (let y = 0; y < box.height; y++) {
    const from = ((box.top + y) * width + box.left) * 3;
    into.set(data.subarray(from, from + bytes), y * bytes);
  }
}
