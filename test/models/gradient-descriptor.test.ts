import { describe, expect, it } from 'vitest';
import { randomStream } from '../../src/core/random.ts';
import { float32 } from '../../src/core/tensor.ts';
import { gradientDescriptor } from '../../src/models/gradient-descriptor.ts';
import { runGraph } from './run-graph.ts';

const CELLS = 7;
const ORIENTATIONS = 8;

/** By the words of the docstring, pixel by pixel, in float64. @param image [3, side, side] */
function byHand(image: ArrayLike<number>, side: number): number[] {
  const grey = (x: number, y: number): number => {
    const [column, row] = [x, y].map((v) => Math.min(side - 1, Math.max(0, v)));
    return [0.299, 0.587, 0.114].reduce((sum, share, c) => sum + share * image[(c * side + row!) * side + column!]!, 0);
  };
  const bell = (distance: number, deviation: number): number => Math.exp(-(distance ** 2) / (2 * deviation ** 2));
  const sumOf = (deviation: number, reach: number): number =>
    Array.from({ length: 2 * reach + 1 }, (_, i) => bell(i - reach, deviation)).reduce((a, b) => a + b);
  const cell = side / CELLS;
  const reach = 2 * Math.ceil(cell / 2);
  const sums = new Float64Array(CELLS * CELLS * ORIENTATIONS);
  for (let y = 0; y < side; y++)
    for (let x = 0; x < side; x++) {
      let [dx, dy] = [0, 0];
      for (let v = -2; v <= 2; v++)
        for (let u = -2; u <= 2; u++) {
          const weight = (bell(u, 0.7) * bell(v, 0.7)) / sumOf(0.7, 2) ** 2;
          dx += (grey(x + u, y + v) * weight * u) / 0.49;
          dy += (grey(x + u, y + v) * weight * v) / 0.49;
        }
      // Where it lies between two orientations, a half turn being eight steps.
      const place = ((((Math.atan2(dy, dx) / Math.PI) * ORIENTATIONS) % ORIENTATIONS) + ORIENTATIONS) % ORIENTATIONS;
      const low = Math.floor(place);
      for (const [orientation, share] of [
        [low % ORIENTATIONS, 1 - (place - low)],
        [(low + 1) % ORIENTATIONS, place - low],
      ] as const)
        for (let row = 0; row < CELLS; row++)
          for (let column = 0; column < CELLS; column++) {
            const [right, down] = [column, row].map((i) => i * cell + Math.floor(cell / 2));
            const [across, along] = [Math.abs(x - right!), Math.abs(y - down!)];
            if (across > reach || along > reach) continue;
            const weight = (bell(across, cell / 2) * bell(along, cell / 2)) / sumOf(cell / 2, reach) ** 2;
            sums[(orientation * CELLS + row) * CELLS + column]! += share * Math.hypot(dx, dy) * weight;
          }
    }
  const norm = Math.hypot(...sums);
  return Array.from(sums, (sum) => Math.sqrt(sum / (norm + 1e-4)));
}

async function described(pixels: ArrayLike<number>, side: number): Promise<number[]> {
  const outputs = await runGraph(gradientDescriptor(side).graph, float32(Array.from(pixels), [1, 3, side, side]));
  return Array.from(outputs['embedding']!.data as Float32Array);
}

const noise = (side: number): number[] => {
  const stream = randomStream('an image', side);
  return Array.from({ length: 3 * side * side }, () => stream.uniform());
};

describe('the gradient descriptor', () => {
  it.each([14, 28, 35])('is what its definition says, at a side of %i', async (side) => {
    const image = noise(side);
    const [found, expected] = [await described(image, side), byHand(image, side)];
    expect(found).toHaveLength(CELLS * CELLS * ORIENTATIONS);
    expect(Math.max(...found.map((value, i) => Math.abs(value - expected[i]!)))).toBeLessThan(2e-4);
  });

  it('does not change with brightness and contrast', async () => {
    const image = noise(28);
    const [one, other] = await Promise.all([
      described(image, 28),
      described(
        image.map((v) => 0.2 + 0.5 * v),
        28,
      ),
    ]);
    expect(Math.max(...one.map((value, i) => Math.abs(value - other[i]!)))).toBeLessThan(1e-3);
  });

  it('is finite on an image without any gradient', async () => {
    expect(Math.max(...(await described(new Float32Array(3 * 28 * 28).fill(0.5), 28)))).toBeLessThan(0.02);
  });

  it('refuses a side that its cells do not divide', () => {
    expect(() => gradientDescriptor(30)).toThrow(/multiple of 7, at least 14; got 30/);
  });
});
