import type { RandomStream } from '../core/random.ts';
import type { Size } from '../images/pixels.ts';

/** Cells of the lattice that the image is stretched over. */
const CELLS = 16;

/**
 * Soft, irregular patches: value noise of three octaves (4, 8 and 16 cells a side, each half as strong as the last).
 * @param into [height, width], filled with values of 0..1
 */
export function cloud({ width, height }: Size, stream: RandomStream, into: Float32Array): void {
  const lattice = cloudLattice(stream);
  const side = CELLS + 1;
  for (let y = 0, to = 0; y < height; y++) {
    const v = ((y + 0.5) / height) * CELLS;
    const top = Math.min(CELLS - 1, Math.floor(v));
    const below = v - top;
    for (let x = 0; x < width; x++, to++) {
      const u = ((x + 0.5) / width) * CELLS;
      const left = Math.min(CELLS - 1, Math.floor(u));
      const at = top * side + left;
      const right = u - left;
      const upper = lattice[at]! + right * (lattice[at + 1]! - lattice[at]!);
      const lower = lattice[at + side]! + right * (lattice[at + side + 1]! - lattice[at + side]!);
      into[to] = upper + below * (lower - upper);
    }
  }
}

function cloudLattice(stream: RandomStream): Float64Array {
  const side = CELLS + 1;
  const lattice = new Float64Array(side * side);
  const weights = [4 / 7, 2 / 7, 1 / 7];
  for (const [octave, weight] of weights.entries()) {
    const cells = 4 << octave;
    const values = Float64Array.from({ length: (cells + 1) ** 2 }, () => stream.uniform());
    const value = (column: number, row: number): number => values[row * (cells + 1) + column]!;
    for (let y = 0; y < side; y++)
      for (let x = 0; x < side; x++) {
        const [u, v] = [(x * cells) / CELLS, (y * cells) / CELLS];
        const [left, top] = [Math.min(cells - 1, Math.floor(u)), Math.min(cells - 1, Math.floor(v))];
        const [right, below] = [eased(u - left), eased(v - top)];
        const upper = value(left, top) * (1 - right) + value(left + 1, top) * right;
        const lower = value(left, top + 1) * (1 - right) + value(left + 1, top + 1) * right;
        lattice[y * side + x]! += weight * (upper * (1 - below) + lower * below);
      }
  }
  return lattice;
}

/** Level at both ends, so that no edge of a cell shows. */
function eased(share: number): number {
  return share * share * (3 - 2 * share);
}
