import { fastKernels } from '../images/fast-kernels.ts';
import type { Kernels } from '../images/kernels.ts';
import type { Pixels } from '../images/pixels.ts';
import { project } from '../images/project.ts';
import { surroundingsOf } from '../images/sample.ts';
import { remap } from '../images/warp.ts';
import { applyPointMap, greyMeanOf, histogramsAfter, joinedTables, sumsOf } from './point-maps.ts';
import type { Histograms, PointStep, Remap, Step } from './step.ts';
import { WarpChain } from './warp-chain.ts';

/** Where a result goes. */
export interface Destination {
  /** [height, width, 3] from `offset` on. */
  readonly into: Uint8Array;
  readonly offset: number;
}

/**
 * Runs drawn steps on an image, which stays as it is. Neighbouring warps are run as one sampling where that gives what
 * one after the other would (but for the blur of sampling twice), neighbouring tables as one look-up.
 * @param kernels the plain ones are the witness of the fast ones
 * @throws RangeError where the destination is too small
 */
export function runSteps(
  steps: readonly Step[],
  image: Pixels,
  destination?: Destination,
  kernels: Kernels = fastKernels(),
): Pixels {
  const pixels = runInBuffers(steps, image, kernels);
  const { width, height } = pixels;
  if (destination !== undefined) {
    destination.into.set(pixels.data, destination.offset);
    return {
      width,
      height,
      data: destination.into.subarray(destination.offset, destination.offset + width * height * 3),
    };
  }
  return kernels.owns(pixels) ? { width, height, data: pixels.data.slice() } : pixels;
}

/**
 * `runSteps` without a copy.
 * @returns the image itself, or one in a buffer of the kernels: the next steps may write over it unless it is held
 */
export function runInBuffers(steps: readonly Step[], image: Pixels, kernels: Kernels): Pixels {
  let pixels = image;
  for (let i = 0; i < steps.length;) {
    const step = steps[i]!;
    if (step.kind === 'warp') {
      const chain = new WarpChain(pixels);
      // The first always fits.
      for (let next: Step | undefined = step; next?.kind === 'warp' && chain.add(next);) next = steps[++i];
      pixels = project(kernels, pixels, chain.projection());
    } else if (step.kind === 'point') {
      const chain = [step];
      for (let next = steps[++i]; next?.kind === 'point'; next = steps[++i]) chain.push(next);
      pixels = runPoints(kernels, chain, pixels);
    } else {
      i++;
      if (step.kind === 'remap') pixels = runRemap(kernels, step, pixels);
      else if (step.kind === 'kernel') pixels = step.run(taken(kernels, pixels), kernels);
      // A copy: it may be written into, and the step may itself run steps, in the same buffers.
      else pixels = step.run({ width: pixels.width, height: pixels.height, data: pixels.data.slice() });
    }
  }
  return pixels;
}

function runRemap(kernels: Kernels, { points, interpolation, fill }: Remap, image: Pixels): Pixels {
  const source = taken(kernels, image);
  const result = kernels.buffer(image, source);
  remap(source, points, interpolation, surroundingsOf(fill, source, kernels.channelSums), result);
  return result;
}

function runPoints(kernels: Kernels, chain: readonly PointStep[], image: Pixels): Pixels {
  const pixels = owned(kernels, image);
  let table: Uint8Array | undefined;
  let histograms: Histograms | undefined;
  const flush = (): void => {
    if (table !== undefined) kernels.lookUp(pixels, table);
    table = undefined;
  };
  /** Of the image as it is with the table. */
  const histogramsNow = (): Histograms => {
    if (histograms === undefined) {
      const now = kernels.histograms(pixels);
      histograms = table === undefined ? now : histogramsAfter(now, table);
    }
    return histograms;
  };
  const greyMean = (): number => {
    if (histograms !== undefined) return greyMeanOf(sumsOf(histograms), pixels);
    // Faster than histograms, even with a look-up more.
    flush();
    return greyMeanOf(kernels.channelSums(pixels), pixels);
  };
  for (const step of chain) {
    const map =
      step.needs === 'nothing'
        ? step.make()
        : step.needs === 'histograms'
          ? step.make(histogramsNow())
          : step.make(greyMean());
    if ('table' in map) {
      table = table === undefined ? map.table : joinedTables(table, map.table);
      if (histograms !== undefined) histograms = histogramsAfter(histograms, map.table);
    } else {
      flush();
      applyPointMap(map, pixels, kernels);
      histograms = undefined;
    }
  }
  flush();
  return pixels;
}

/** Where the kernels can read it. */
function taken(kernels: Kernels, image: Pixels): Pixels {
  return kernels.take(image, { left: 0, top: 0, width: image.width, height: image.height });
}

/** In a buffer of the kernels, where it can be written into. */
function owned(kernels: Kernels, image: Pixels): Pixels {
  if (kernels.ownsFreely(image)) return image;
  const copy = kernels.buffer(image);
  copy.data.set(image.data);
  return copy;
}

/**
 * What a network takes: each channel on its own, less its mean, by its deviation.
 * @param mean of each channel, on 0..255
 * @param std likewise, over 0
 * @param options `steps` are run first, with no copy between; `mirrored`: left to right, in the end; `into`: where the
 * result goes, from `offset` on
 * @returns [3, height, width] float32
 */
export function toNormalisedPlanes(
  image: Pixels,
  mean: readonly [number, number, number],
  std: readonly [number, number, number],
  options: {
    readonly steps?: readonly Step[];
    readonly mirrored?: boolean;
    readonly into?: Float32Array;
    readonly offset?: number;
  } = {},
  kernels: Kernels = fastKernels(),
): Float32Array {
  const { steps = [], mirrored = false, into, offset = 0 } = options;
  const pixels = runInBuffers(steps, image, kernels);
  const count = pixels.width * pixels.height * 3;
  const planes = into?.subarray(offset, offset + count) ?? new Float32Array(count);
  if (planes.length < count)
    throw new RangeError(`The result needs ${count} floats from ${offset} on, the destination has ${into!.length}.`);
  kernels.normalise(pixels, mean, std, mirrored, planes);
  return planes;
}
