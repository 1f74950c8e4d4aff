import type { Pixels, Size } from '../images/pixels.ts';
import { samplePoints } from '../images/sample.ts';
import { multiply, transform, type Matrix3 } from './matrix.ts';
import { applyPointMap, greyMeanOf, histogramsAfter, histogramsOf, joinedTables } from './point-maps.ts';
import type { Histograms, PointMap, PointStep, Remap, Step, Warp } from './step.ts';

/**
 * Runs drawn steps on an image, which stays as it is. Neighbouring warps are run as one sampling where that gives what
 * one after the other would (but for the blur of sampling twice), neighbouring tables as one look-up.
 */
export function runSteps(steps: readonly Step[], image: Pixels): Pixels {
  let pixels = image;
  for (let i = 0; i < steps.length;) {
    const step = steps[i]!;
    if (step.kind === 'warp') {
      const chain = [step];
      for (let next = steps[++i]; next?.kind === 'warp' && canFollow(chain.at(-1)!, next); next = steps[++i])
        chain.push(next);
      pixels = runWarps(chain, pixels);
    } else if (step.kind === 'point') {
      const chain = [step];
      for (let next = steps[++i]; next?.kind === 'point'; next = steps[++i]) chain.push(next);
      pixels = runPoints(chain, pixels, pixels !== image);
    } else {
      i++;
      if (step.kind === 'remap') pixels = runRemap(step, pixels);
      else pixels = step.run(pixels === image ? { ...image, data: image.data.slice() } : pixels);
    }
  }
  return pixels;
}

/** Whether one sampling can do both: of one kind, and outside of `first` is what it fills with or is never seen. */
function canFollow(first: Warp, second: Warp): boolean {
  if (first.interpolation !== second.interpolation || first.antialias !== second.antialias) return false;
  return sameColour(first.fill, second.fill) || staysInside(second, first.size);
}

function sameColour(one: Warp['fill'], other: Warp['fill']): boolean {
  return typeof one !== 'string' && typeof other !== 'string' && one.every((value, c) => value === other[c]);
}

/** Whether all of a warp's result comes from inside its source. */
function staysInside({ matrix, size }: Warp, source: Size): boolean {
  // Of a projective map the line that goes to infinity could lie between the corners.
  if (matrix[6] !== 0 || matrix[7] !== 0) return false;
  const slack = 1e-6;
  return [
    [0, 0],
    [size.width, 0],
    [0, size.height],
    [size.width, size.height],
  ].every(([x, y]) => {
    const [sx, sy] = transform(matrix, x!, y!);
    return sx >= -slack && sy >= -slack && sx <= source.width + slack && sy <= source.height + slack;
  });
}

interface Frame {
  /** From a point of the last result to one of this frame. */
  readonly matrix: Matrix3;
  readonly size: Size;
}

/** Frames between the warps of a chain: what lies outside of one is not there for the next. */
function framesBetween(chain: readonly Warp[]): Frame[] {
  const frames: Frame[] = [];
  let { matrix } = chain.at(-1)!;
  for (let i = chain.length - 2; i >= 0; i--) {
    const { size } = chain[i]!;
    if (!staysInside({ ...chain.at(-1)!, matrix }, size)) frames.push({ matrix, size });
    matrix = multiply(chain[i]!.matrix, matrix);
  }
  return frames;
}

function runWarps(chain: readonly Warp[], source: Pixels): Pixels {
  const { size, interpolation } = chain.at(-1)!;
  const matrix = chain.map((warp) => warp.matrix).reduce(multiply);
  const frames = framesBetween(chain);
  const data = new Uint8Array(size.width * size.height * 3);
  const points = (row: number, xs: Float64Array, ys: Float64Array): void => {
    for (let column = 0; column < size.width; column++) {
      const [x, y] = transform(matrix, column + 0.5, row + 0.5);
      const isSeen = frames.every((frame) => {
        const [fx, fy] = transform(frame.matrix, column + 0.5, row + 0.5);
        return fx >= 0 && fy >= 0 && fx <= frame.size.width && fy <= frame.size.height;
      });
      xs[column] = isSeen ? x : Number.NaN;
      ys[column] = y;
    }
  };
  samplePoints(source, points, interpolation, chain[0]!.fill, size, data);
  return { ...size, data };
}

function runRemap({ points, interpolation, fill }: Remap, source: Pixels): Pixels {
  const { width } = source;
  const data = new Uint8Array(source.data.length);
  const row = (y: number, xs: Float64Array, ys: Float64Array): void => {
    for (let x = 0, at = y * width * 2; x < width; x++, at += 2) {
      xs[x] = points[at]!;
      ys[x] = points[at + 1]!;
    }
  };
  samplePoints(source, row, interpolation, fill, source, data);
  return { ...source, data };
}

/** @param isOwn whether the source may be written into */
function runPoints(chain: readonly PointStep[], source: Pixels, isOwn: boolean): Pixels {
  let pixels = source;
  let own = isOwn;
  let table: Uint8Array | undefined;
  let histograms: Histograms | undefined;
  const apply = (map: PointMap): void => {
    const data = own ? pixels.data : new Uint8Array(pixels.data.length);
    applyPointMap(map, pixels, data);
    pixels = { ...pixels, data };
    own = true;
  };
  const flush = (): void => {
    if (table !== undefined) apply({ table });
    table = undefined;
  };
  for (const step of chain) {
    if (step.needs !== 'nothing' && histograms === undefined) {
      const now = histogramsOf(pixels);
      histograms = table === undefined ? now : histogramsAfter(now, table);
    }
    const map =
      step.needs === 'nothing'
        ? step.make()
        : step.needs === 'histograms'
          ? step.make(histograms!)
          : step.make(greyMeanOf(histograms!));
    if ('table' in map) {
      table = table === undefined ? map.table : joinedTables(table, map.table);
      if (histograms !== undefined) histograms = histogramsAfter(histograms, map.table);
    } else {
      flush();
      apply(map);
      histograms = undefined;
    }
  }
  flush();
  return pixels;
}
