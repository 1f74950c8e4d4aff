import { isAxisAligned, isCopy, type Projection } from '../images/project.ts';
import { IDENTITY, multiply, transform, type Matrix3 } from '../images/matrix.ts';
import type { Box, Size } from '../images/pixels.ts';
import type { Fill, Interpolation } from '../images/sample.ts';
import type { Frame } from '../images/warp.ts';
import type { Warp } from './step.ts';

/**
 * Warps joined to one map. What lies outside of an image between two of them is not there for the next: as long as rows
 * stay rows that is kept as the part of the source that is seen (`view`), else as a frame through which the result is seen.
 */
export class WarpChain {
  #matrix: Matrix3 = IDENTITY;
  #size: Size;
  #view: Box;
  #frames: Frame[] = [];
  /** Of the warps that show something from outside; undefined as long as none does. */
  #fill: Fill | undefined;
  /** Of the warps that do not just move pixels. */
  #sampling: { interpolation: Interpolation; antialias: boolean } | undefined;

  constructor({ width, height }: Size) {
    this.#size = { width, height };
    this.#view = { left: 0, top: 0, width, height };
  }

  /** @returns false, with nothing changed, where one sampling can't do both */
  add(warp: Warp): boolean {
    const { interpolation, antialias, fill } = warp;
    const isMove = isCopy(warp.matrix);
    const sampling = this.#sampling ?? (isMove ? undefined : { interpolation, antialias });
    if (!isMove && (sampling!.interpolation !== interpolation || sampling!.antialias !== antialias)) return false;
    const isStraight = isAxisAligned(this.#matrix);
    const isInside = staysInside(warp, this.#size);
    const keepsView = this.#fill === undefined && isStraight;
    const needsFrame = !isInside && !keepsView;
    if (needsFrame && (typeof fill === 'string' || !sameColour(this.#fill ?? fill, fill))) return false;
    const view = keepsView ? this.#narrowedView() : this.#view;
    if (view.width < 1 || view.height < 1) return false;
    this.#view = view;
    this.#frames = this.#frames.map((frame) => ({ ...frame, matrix: multiply(frame.matrix, warp.matrix) }));
    if (needsFrame) this.#frames.push({ matrix: warp.matrix, size: this.#size });
    if (!isInside) this.#fill = fill;
    this.#sampling = sampling;
    this.#matrix = multiply(this.#matrix, warp.matrix);
    this.#size = warp.size;
    return true;
  }

  projection(): Projection {
    return {
      matrix: this.#matrix,
      size: this.#size,
      ...(this.#sampling ?? { interpolation: 'nearest', antialias: false }),
      // Where nothing outside is seen, neighbours of the last pixels are these again.
      fill: this.#fill ?? 'edge',
      view: this.#view,
      frames: this.#frames,
    };
  }

  /** The part of the source that the present result shows; whole pixels. */
  #narrowedView(): Box {
    const [x1, y1] = transform(this.#matrix, 0, 0);
    const [x2, y2] = transform(this.#matrix, this.#size.width, this.#size.height);
    const [left, width] = narrowed(this.#view.left, this.#view.width, x1, x2);
    const [top, height] = narrowed(this.#view.top, this.#view.height, y1, y2);
    return { left, top, width, height };
  }
}

const SLACK = 1e-6;

function narrowed(start: number, length: number, one: number, other: number): [start: number, length: number] {
  const from = Math.max(start, Math.floor(Math.min(one, other) + SLACK));
  return [from, Math.min(start + length, Math.ceil(Math.max(one, other) - SLACK)) - from];
}

function sameColour(one: Fill, other: Fill): boolean {
  return typeof one !== 'string' && typeof other !== 'string' && one.every((value, c) => value === other[c]);
}

/** Whether all of a warp's result comes from inside its source. */
function staysInside({ matrix, size }: Warp, source: Size): boolean {
  // Of a projective map the line that goes to infinity could lie between the corners.
  if (matrix[6] !== 0 || matrix[7] !== 0) return false;
  return [
    [0, 0],
    [size.width, 0],
    [0, size.height],
    [size.width, size.height],
  ].every(([x, y]) => {
    const [sx, sy] = transform(matrix, x!, y!);
    return sx >= -SLACK && sy >= -SLACK && sx <= source.width + SLACK && sy <= source.height + SLACK;
  });
}
