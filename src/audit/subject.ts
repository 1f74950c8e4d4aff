import type { Pixels, Rgb } from '../images/pixels.ts';

const GRID = 32;
/** Of a side, what counts as its border. */
const BORDER = 3;
/** Added to a border's variances, in squared grey levels: what differs by less is grain and soft shadow. */
const GRAIN = 64;

/**
 * Where the subject is, by what differs from the borders: of each pixel the Mahalanobis distance to the colours along each
 * of the four sides, of which the least counts, so that a subject cut off by one side, or a filled margin, is no matter
 * (the backgroundness of Zhang et al. 2015, "Minimum barrier salient object detection at 80 fps", on a 32 x 32 grid).
 * - subjectX, subjectY: centre of what stands out, -0.5..0.5 of the side;
 * - subjectSize: its extent as a share of the image's: the geometric mean over both axes of its standard deviation over
 *   that of the whole side; NaN where nothing stands out.
 * - flatBorder: share of the image in plain runs of one colour in from the left and right: margins, filled corners.
 */
export function measureSubject(image: Pixels): {
  subjectX: number;
  subjectY: number;
  subjectSize: number;
  flatBorder: number;
} {
  const colours = gridOf(image);
  const { cells, share: flatBorder, corners } = marginsOf(image);
  const isInside = (x: number, y: number): boolean => cells[y * GRID + x]! < 0.5;
  const borders = [
    borderOf(colours, (x, y) => x < BORDER && isInside(x, y)),
    borderOf(colours, (x, y) => x >= GRID - BORDER && isInside(x, y)),
    borderOf(colours, (x, y) => y < BORDER && isInside(x, y)),
    borderOf(colours, (x, y) => y >= GRID - BORDER && isInside(x, y)),
    // A plain margin is a border of its own: the sides beside it keep their own colours.
    ...corners.map((mean) => ({ mean, inverse: [1 / GRAIN, 0, 0, 1 / GRAIN, 0, 1 / GRAIN] })),
  ].filter((border) => border !== undefined);
  let [total, sumX, sumY, sumXX, sumYY] = [0, 0, 0, 0, 0];
  for (let y = 0, at = 0; y < GRID; y++)
    for (let x = 0; x < GRID; x++, at += 3) {
      if (!isInside(x, y)) continue;
      let least = Number.POSITIVE_INFINITY;
      for (const border of borders) least = Math.min(least, distance(border, colours, at));
      // Within two standard deviations it belongs to the border.
      const weight = Math.max(0, Math.min(least, 100) - 4);
      if (weight === 0) continue;
      const [px, py] = [(x + 0.5) / GRID - 0.5, (y + 0.5) / GRID - 0.5];
      total += weight;
      sumX += weight * px;
      sumY += weight * py;
      sumXX += weight * px * px;
      sumYY += weight * py * py;
    }
  // Less than half a cell in full: nothing stands out.
  if (total < 48) return { subjectX: Number.NaN, subjectY: Number.NaN, subjectSize: Number.NaN, flatBorder };
  const [subjectX, subjectY] = [sumX / total, sumY / total];
  const [spreadX, spreadY] = [sumXX / total - subjectX ** 2, sumYY / total - subjectY ** 2];
  const cell = 1 / (12 * GRID * GRID);
  return { subjectX, subjectY, subjectSize: Math.sqrt(12) * ((spreadX + cell) * (spreadY + cell)) ** 0.25, flatBorder };
}

/** Means over the cells of a grid: [GRID, GRID, 3]. */
function gridOf({ width, height, data }: Pixels): Float64Array {
  const sums = new Float64Array(GRID * GRID * 3);
  if (width >= GRID && height >= GRID) {
    const counts = new Float64Array(GRID * GRID);
    const cells = Int32Array.from({ length: width }, (_, x) => Math.floor(((x + 0.5) * GRID) / width));
    for (let y = 0, from = 0; y < height; y++) {
      const row = Math.floor(((y + 0.5) * GRID) / height) * GRID;
      for (let x = 0; x < width; x++, from += 3) {
        const cell = row + cells[x]!;
        counts[cell]!++;
        sums[3 * cell]! += data[from]!;
        sums[3 * cell + 1]! += data[from + 1]!;
        sums[3 * cell + 2]! += data[from + 2]!;
      }
    }
    for (let i = 0; i < sums.length; i++) sums[i]! /= counts[Math.floor(i / 3)]!;
    return sums;
  }
  for (let y = 0, to = 0; y < GRID; y++)
    for (let x = 0; x < GRID; x++, to += 3) {
      const from = (Math.floor(((y + 0.5) * height) / GRID) * width + Math.floor(((x + 0.5) * width) / GRID)) * 3;
      for (let c = 0; c < 3; c++) sums[to + c] = data[from + c]!;
    }
  return sums;
}

interface Border {
  readonly mean: readonly [number, number, number];
  /** Inverse covariance: xx, xy, xz, yy, yz, zz. */
  readonly inverse: readonly number[];
}

/** @returns undefined where it has too few cells to have a colour */
function borderOf(colours: Float64Array, isPart: (x: number, y: number) => boolean): Border | undefined {
  let count = 0;
  const sums = new Float64Array(9);
  for (let y = 0, at = 0; y < GRID; y++)
    for (let x = 0; x < GRID; x++, at += 3) {
      if (!isPart(x, y)) continue;
      const [r, g, b] = [colours[at]!, colours[at + 1]!, colours[at + 2]!];
      count++;
      for (const [i, term] of [r, g, b, r * r, r * g, r * b, g * g, g * b, b * b].entries()) sums[i]! += term;
    }
  if (count < 6) return undefined;
  const [r, g, b, rr, rg, rb, gg, gb, bb] = Array.from(sums, (sum) => sum / count) as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const [xx, xy, xz] = [rr - r * r + GRAIN, rg - r * g, rb - r * b];
  const [yy, yz, zz] = [gg - g * g + GRAIN, gb - g * b, bb - b * b + GRAIN];
  const determinant = xx * (yy * zz - yz * yz) - xy * (xy * zz - yz * xz) + xz * (xy * yz - yy * xz);
  const cofactors = [
    yy * zz - yz * yz,
    xz * yz - xy * zz,
    xy * yz - xz * yy,
    xx * zz - xz * xz,
    xy * xz - xx * yz,
    xx * yy - xy * xy,
  ];
  return { mean: [r, g, b], inverse: cofactors.map((value) => value / determinant) };
}

/** Squared. */
function distance({ mean, inverse }: Border, colours: Float64Array, at: number): number {
  const [x, y, z] = [colours[at]! - mean[0], colours[at + 1]! - mean[1], colours[at + 2]! - mean[2]];
  return (
    inverse[0]! * x * x +
    inverse[3]! * y * y +
    inverse[5]! * z * z +
    2 * (inverse[1]! * x * y + inverse[2]! * x * z + inverse[4]! * y * z)
  );
}

/** Grey levels by which a plain margin may differ from its corner: what JPEG does to it. */
const PLAIN = 4;
/** Share of the image from which a corner's plain run is a margin. */
const LEAST_MARGIN = 0.01;

export interface Margins {
  /** Share of the image. */
  readonly share: number;
  /** [GRID, GRID]: share of each cell. */
  readonly cells: Float64Array;
  /** Colours of the corners that a margin begins in. */
  readonly corners: readonly Rgb[];
}

/** Plain runs of a corner's colour in from the left and right of each row. */
export function marginsOf({ width, height, data }: Pixels): Margins {
  const isNear = (at: number, corner: number): boolean =>
    Math.abs(data[at]! - data[corner]!) <= PLAIN &&
    Math.abs(data[at + 1]! - data[corner + 1]!) <= PLAIN &&
    Math.abs(data[at + 2]! - data[corner + 2]!) <= PLAIN;
  const across = (width - 1) * 3;
  const bottom = (height - 1) * width * 3;
  const counts = new Map([0, across, bottom, bottom + across].map((corner) => [corner, 0]));
  const run = (start: number, step: number, corners: readonly number[]): number => {
    const corner = corners.find((candidate) => isNear(start, candidate));
    if (corner === undefined) return 0;
    let length = 1;
    while (length < width && isNear(start + step * length, corner)) length++;
    counts.set(corner, counts.get(corner)! + length);
    return length;
  };
  const cells = new Float64Array(GRID * GRID);
  const cellSize = (width * height) / (GRID * GRID);
  let plain = 0;
  for (let y = 0; y < height; y++) {
    const start = y * width * 3;
    const left = run(start, 3, [0, bottom]);
    const right = left === width ? 0 : run(start + across, -3, [across, bottom + across]);
    plain += left + right;
    const row = Math.floor(((y + 0.5) * GRID) / height) * GRID;
    for (let x = 0; x < left; x++) cells[row + Math.floor(((x + 0.5) * GRID) / width)]! += 1 / cellSize;
    for (let x = width - right; x < width; x++) cells[row + Math.floor(((x + 0.5) * GRID) / width)]! += 1 / cellSize;
  }
  const corners = [...counts].filter(([, count]) => count >= LEAST_MARGIN * width * height);
  return {
    share: plain / (width * height),
    cells,
    corners: corners.map(([at]) => [data[at]!, data[at + 1]!, data[at + 2]!] as const),
  };
}
