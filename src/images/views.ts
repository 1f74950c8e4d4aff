/**
 * Short descriptors of an image and of the crops that a copy of it may have been cut to. A full frame that
 * is a crop of another image has nearly the descriptor of that crop: descriptors propose pairs, pixels
 * confirm them (`align.ts`).
 */

/** A window of an image, in parts of its width and height. */
export interface View {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Side of the square grey images that descriptors are made from. */
export const VIEW_SIDE = 32;
const CELLS = 8;
/** Length of a descriptor: the first half is even under mirroring, the second odd. */
export const DESCRIPTOR_LENGTH = CELLS * CELLS;

const FULL: View = { left: 0, top: 0, width: 1, height: 1 };

/**
 * The full frame, then crops to 90 % of each side at 25 places and to 95 % (90 % of the area) at nine:
 * fine enough that a crop anywhere between differs little from the nearest.
 */
export const VIEWS: readonly View[] = [FULL, ...crops(0.9, 5), ...crops(0.95, 3)];

function crops(size: number, places: number): View[] {
  const offsets = Array.from({ length: places }, (_, i) => ((1 - size) * i) / (places - 1));
  return offsets.flatMap((top) => offsets.map((left) => ({ left, top, width: size, height: size })));
}

interface Averages {
  /** Into `taps`, for each cell. */
  readonly first: Int32Array;
  /** [CELLS, taps] */
  readonly weights: Float32Array;
  readonly taps: number;
}

const averages = new Map<string, Averages>();

/** Exact means over the cells of an interval, fractions of pixels included. */
function averagesOf(start: number, size: number): Averages {
  const key = `${start} ${size}`;
  const known = averages.get(key);
  if (known !== undefined) return known;
  const cell = (size * VIEW_SIDE) / CELLS;
  const taps = Math.ceil(cell) + 1;
  const first = new Int32Array(CELLS);
  const weights = new Float32Array(CELLS * taps);
  for (let i = 0; i < CELLS; i++) {
    const [low, high] = [start * VIEW_SIDE + i * cell, start * VIEW_SIDE + (i + 1) * cell];
    first[i] = Math.min(Math.floor(low), VIEW_SIDE - taps);
    for (let k = 0; k < taps; k++) {
      const pixel = first[i]! + k;
      weights[i * taps + k] = Math.max(0, Math.min(high, pixel + 1) - Math.max(low, pixel)) / cell;
    }
  }
  const made = { first, weights, taps };
  averages.set(key, made);
  return made;
}

const SQRT_HALF = Math.SQRT1_2;

/**
 * Means over 8 x 8 cells of a view, without their mean, scaled to length 1, as even and odd parts under
 * mirroring: the descriptor of the mirrored view has its second half negated. A view without contrast gives zeros.
 * @param grey [VIEW_SIDE, VIEW_SIDE]
 * @param into DESCRIPTOR_LENGTH numbers from `offset`
 */
export function describeView(grey: Uint8Array, view: View, into: Float32Array, offset = 0): void {
  const down = averagesOf(view.top, view.height);
  const across = averagesOf(view.left, view.width);
  let mean = 0;
  for (let i = 0; i < CELLS; i++) {
    rowMeans.fill(0);
    for (let k = 0; k < down.taps; k++) {
      const weight = down.weights[i * down.taps + k]!;
      if (weight === 0) continue;
      const row = (down.first[i]! + k) * VIEW_SIDE;
      for (let x = 0; x < VIEW_SIDE; x++) rowMeans[x]! += weight * grey[row + x]!;
    }
    for (let j = 0; j < CELLS; j++) {
      let sum = 0;
      for (let k = 0, w = j * across.taps; k < across.taps; k++, w++)
        sum += across.weights[w]! * rowMeans[across.first[j]! + k]!;
      cells[i * CELLS + j] = sum;
      mean += sum / (CELLS * CELLS);
    }
  }
  let square = 0;
  for (let c = 0; c < CELLS * CELLS; c++) {
    const value = cells[c]! - mean;
    cells[c] = value;
    square += value * value;
  }
  const scale = square < 1e-3 ? 0 : SQRT_HALF / Math.sqrt(square);
  for (let i = 0, even = offset, odd = offset + DESCRIPTOR_LENGTH / 2; i < CELLS; i++)
    for (let j = 0; j < CELLS / 2; j++, even++, odd++) {
      const [left, right] = [cells[i * CELLS + j]!, cells[i * CELLS + CELLS - 1 - j]!];
      into[even] = (left + right) * scale;
      into[odd] = (left - right) * scale;
    }
}

// Used within one call only.
const rowMeans = new Float32Array(VIEW_SIDE);
const cells = new Float32Array(CELLS * CELLS);
