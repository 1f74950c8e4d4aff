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

/** Exact means over the cells of an interval, fractions of pixels included. */
interface Averages {
  readonly taps: number;
  /** Of each cell, the first pixel. */
  readonly first: Int32Array;
  /** [CELLS, taps] */
  readonly weights: Float32Array;
}

function averagesOf(start: number, size: number): Averages {
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
  return { taps, first, weights };
}

const PLANS = VIEWS.map((view, index) => ({
  down: averagesOf(view.top, view.height),
  across: averagesOf(view.left, view.width),
  /** Views of one height stand in a row and share the means over their rows. */
  sameRows: index > 0 && VIEWS[index - 1]!.top === view.top && VIEWS[index - 1]!.height === view.height,
}));

/**
 * For each view: means over its 8 x 8 cells, without their mean, scaled to length 1, as even and odd parts under
 * mirroring: the descriptor of the mirrored view has its second half negated. A view without contrast gives zeros.
 * @param grey [VIEW_SIDE, VIEW_SIDE]
 * @param views how many of `VIEWS`, from the first
 * @param into [views, DESCRIPTOR_LENGTH], from `offset`
 */
export function describeViews(grey: Uint8Array, views: number, into: Float32Array, offset = 0): void {
  for (let v = 0, at = offset; v < views; v++, at += DESCRIPTOR_LENGTH) {
    const { down, across, sameRows } = PLANS[v]!;
    if (!sameRows) meanRows(grey, down);
    let mean = 0;
    for (let i = 0; i < CELLS; i++)
      for (let j = 0; j < CELLS; j++) {
        let sum = 0;
        for (let k = 0, w = j * across.taps, x = i * VIEW_SIDE + across.first[j]!; k < across.taps; k++, w++, x++)
          sum += across.weights[w]! * rowMeans[x]!;
        cells[i * CELLS + j] = sum;
        mean += sum / (CELLS * CELLS);
      }
    evenAndOdd(mean, into, at);
  }
}

function meanRows(grey: Uint8Array, down: Averages): void {
  rowMeans.fill(0);
  for (let i = 0; i < CELLS; i++)
    for (let k = 0; k < down.taps; k++) {
      const weight = down.weights[i * down.taps + k]!;
      if (weight === 0) continue;
      for (let x = 0, from = (down.first[i]! + k) * VIEW_SIDE, to = i * VIEW_SIDE; x < VIEW_SIDE; x++, from++, to++)
        rowMeans[to]! += weight * grey[from]!;
    }
}

function evenAndOdd(mean: number, into: Float32Array, offset: number): void {
  let square = 0;
  for (let c = 0; c < CELLS * CELLS; c++) {
    const value = cells[c]! - mean;
    cells[c] = value;
    square += value * value;
  }
  const scale = square < 1e-3 ? 0 : Math.SQRT1_2 / Math.sqrt(square);
  for (let i = 0, even = offset, odd = offset + DESCRIPTOR_LENGTH / 2; i < CELLS; i++)
    for (let j = 0; j < CELLS / 2; j++, even++, odd++) {
      const [left, right] = [cells[i * CELLS + j]!, cells[i * CELLS + CELLS - 1 - j]!];
      into[even] = (left + right) * scale;
      into[odd] = (left - right) * scale;
    }
}

// Used within one call only.
const rowMeans = new Float32Array(CELLS * VIEW_SIDE);
const cells = new Float32Array(CELLS * CELLS);
