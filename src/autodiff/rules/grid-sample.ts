import { fromNumbers, toNumbers } from '../../core/tensor.ts';
import { attribute } from '../../onnx/graph.ts';
import { decomposed, type Differentiation, type OpContext } from '../rule.ts';
import { matrixTransposed } from './products.ts';

/**
 * Sampling an image at the places of a grid (spatial transformers; Jaderberg et al., 2015), written out as
 * gathers and weights, so that both the image and the grid get their gradients.
 */
export const gridSampling = {
  GridSample: decomposed((c) => {
    const [x, grid] = [c.input(0), c.input(1)];
    const shape = c.shape(x);
    const mode = attribute(c.node, 'mode', 'string', 'linear');
    if (shape.length !== 4) throw c.refuse(`GridSample over an input of rank ${shape.length} has no gradient rule`);
    if (mode === 'cubic') throw c.refuse('GridSample with mode "cubic" has no gradient rule');
    const [n, channels, height, width] = shape as [number, number, number, number];
    const [, rows, columns] = c.shape(grid) as [number, number, number];
    const places = rows * columns;
    const flat = c.reshape(x, [n, channels, height * width]);
    const axisX = coordinate(c, grid, 0, width, [n, 1, places]);
    const axisY = coordinate(c, grid, 1, height, [n, 1, places]);
    const zeros = attribute(c.node, 'padding_mode', 'string', 'zeros') === 'zeros';
    const corners = mode === 'nearest' ? nearest : neighbours;
    let sum: string | undefined;
    for (const v of corners(c, axisY))
      for (const h of corners(c, axisX)) {
        const inside = zeros ? [within(c, v.place, height), within(c, h.place, width)] : [];
        const weights = [v.weight, h.weight, ...inside].filter((weight) => weight !== undefined);
        const value = gathered(c, flat, [clamped(c, v.place, height), clamped(c, h.place, width)], width);
        const term = weights.reduce((product, weight) => c.mul(product, weight), value);
        sum = sum === undefined ? term : c.add(sum, term);
      }
    return [c.reshape(sum!, [n, channels, rows, columns])];
  }),
  // The places of a flat or solid grid under affine maps: [x, y, (z,) 1] θᵀ
  AffineGrid: decomposed((c) => {
    const [n, , ...sides] = toNumbers(c.constant(1, 'size')) as [number, number, ...number[]];
    const aligned = attribute(c.node, 'align_corners', 'int', 0) === 1;
    const units = sides.map((side) =>
      Array.from({ length: side }, (_, i) =>
        aligned ? (side === 1 ? 0 : (2 * i) / (side - 1) - 1) : (2 * i + 1) / side - 1,
      ),
    );
    // Rows in the order of the image, coordinates in the order x, y, z: the last axis first.
    const places = units.reduce<number[][]>(
      (rows, axis) => rows.flatMap((row) => axis.map((unit) => [unit, ...row])),
      [[1]],
    );
    const base = c.builder.constant(fromNumbers(c.dtype, [places.length, sides.length + 1], places.flat()));
    return [c.reshape(c.op('MatMul', [base, matrixTransposed(c, c.input(0))]), [n, ...sides, sides.length])];
  }),
} satisfies Record<string, Differentiation>;

/** A place along one axis, whole but of floating type, and what it counts (undefined: 1). */
interface Corner {
  readonly place: string;
  readonly weight: string | undefined;
}

/** One coordinate of the grid, from -1..1 to 0..side-1, brought inside by the padding mode. */
function coordinate(c: OpContext, grid: string, index: number, side: number, shape: readonly number[]): string {
  const slice = c.op('Slice', [grid, c.ints([index]), c.ints([index + 1]), c.ints([3])]);
  const aligned = attribute(c.node, 'align_corners', 'int', 0) === 1;
  const unit = c.add(c.reshape(slice, shape), c.scalar(1));
  const place = aligned ? c.scale(unit, (side - 1) / 2) : c.sub(c.scale(unit, side / 2), c.scalar(0.5));
  const mode = attribute(c.node, 'padding_mode', 'string', 'zeros');
  if (mode === 'zeros') return place;
  const inside = mode === 'reflection' ? reflected(c, place, aligned ? 0 : -0.5, aligned ? side - 1 : side) : place;
  return c.op('Clip', [inside, c.scalar(0), c.scalar(side - 1)]);
}

/** Folds a coordinate back between `low` and `low + span`, as between two mirrors. */
function reflected(c: OpContext, place: string, low: number, span: number): string {
  if (span === 0) return c.scale(place, 0);
  const distance = c.op('Abs', [c.sub(place, c.scalar(low))]);
  const turns = c.op('Floor', [c.scale(distance, 1 / span)]);
  const rest = c.sub(distance, c.scale(turns, span));
  // Odd turns run backwards: span - rest.
  const odd = c.sub(turns, c.scale(c.op('Floor', [c.scale(turns, 0.5)]), 2));
  const forward = c.mul(rest, c.sub(c.scalar(1), c.scale(odd, 2)));
  return c.add(c.add(forward, c.scale(odd, span)), c.scalar(low));
}

function nearest(c: OpContext, place: string): Corner[] {
  return [{ place: c.op('Round', [place]), weight: undefined }];
}

function neighbours(c: OpContext, place: string): Corner[] {
  const low = c.op('Floor', [place]);
  const part = c.sub(place, low);
  return [
    { place: low, weight: c.sub(c.scalar(1), part) },
    { place: c.add(low, c.scalar(1)), weight: part },
  ];
}

function within(c: OpContext, place: string, side: number): string {
  return c.mul(c.mask('GreaterOrEqual', place, c.scalar(0)), c.mask('LessOrEqual', place, c.scalar(side - 1)));
}

function clamped(c: OpContext, place: string, side: number): string {
  return c.op('Clip', [place, c.scalar(0), c.scalar(side - 1)]);
}

/** Elements of [N, C, H·W] at whole places [N, 1, P] of the two axes: [N, C, P]. */
function gathered(c: OpContext, flat: string, [v, h]: readonly [string, string], width: number): string {
  const index = c.op('Cast', [c.add(c.scale(v, width), h)], { to: 7 });
  const [n, channels] = c.shape(flat) as [number, number];
  const places = c.shape(index)[2]!;
  return c.op('GatherElements', [flat, c.op('Expand', [index, c.ints([n, channels, places])])], { axis: 2 });
}
