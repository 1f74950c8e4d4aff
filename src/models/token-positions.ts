import { InputError } from '../core/errors.ts';
import { tensor, type Tensor } from '../core/tensor.ts';
import { attribute, type Graph, type Node } from '../onnx/graph.ts';

/** Tokens that are no patch, at most: a class token, one of distillation, registers. */
const MOST_OTHERS = 8;
/** Whose second input says sizes. */
const SIZED = new Set(['Reshape', 'Pad', 'Expand', 'Tile']);

/**
 * A vision transformer for images of another size: its learned positions, which lie on a grid of patches, are interpolated (Dosovitskiy et
 * al. 2020, section 3.2; bicubic and antialiased, as timm's `resample_abs_pos_embed`), in the graph, so that they are
 * trained on; numbers of tokens that shapes are made of are replaced.
 * @param from height and width that the graph is for @param to those wanted
 * @returns undefined where it has no positions of patches
 * @throws InputError where patches do not divide the size
 */
export function atOtherGrid(
  graph: Graph,
  from: readonly [number, number],
  to: readonly [number, number],
): Graph | undefined {
  const patch = patchOf(graph);
  if (patch === undefined || from.some((side) => side % patch !== 0)) return undefined;
  const [before, after] = [from, to].map(([h, w]) => [Math.floor(h / patch), Math.floor(w / patch)] as const) as [
    Grid,
    Grid,
  ];
  const places = positionsOf(graph, before);
  if (places.length === 0) return undefined;
  if (to.some((side) => side % patch !== 0))
    throw new InputError(
      `"${graph.name}" takes images whose sides are multiples of its patches of ${patch} pixels, not ${to.join('x')}.`,
    );
  const counts = new Map([[before[0] * before[1], after[0] * after[1]]]);
  for (const { others } of places) counts.set(before[0] * before[1] + others, after[0] * after[1] + others);

  const initializers = new Map(graph.initializers);
  const added: Node[] = [];
  const moved = new Map<string, string>();
  for (const { name, others } of places) {
    const [weights, positions] = [`${name}.interpolation`, `${name}.interpolated`];
    initializers.set(weights, interpolation(before, after, others));
    added.push({
      name: positions,
      opType: 'MatMul',
      domain: '',
      inputs: [weights, name],
      outputs: [positions],
      attributes: {},
    });
    moved.set(name, positions);
  }
  const shapes = new Set(
    graph.nodes.flatMap(({ opType, inputs }) => (SIZED.has(opType) && inputs[1] !== undefined ? [inputs[1]] : [])),
  );
  for (const name of shapes) {
    const sizes = initializers.get(name);
    if (sizes?.dtype !== 'int64') continue;
    const values = BigInt64Array.from(sizes.data as BigInt64Array, (value) =>
      BigInt(counts.get(Number(value)) ?? value),
    );
    initializers.set(name, tensor('int64', sizes.shape, values));
  }
  const nodes = graph.nodes.map((node) => ({ ...node, inputs: node.inputs.map((input) => moved.get(input) ?? input) }));
  return { ...graph, initializers, nodes: [...added, ...nodes] };
}

type Grid = readonly [rows: number, columns: number];

/** Side of the squares that the image is cut into, by the convolution on it. */
function patchOf(graph: Graph): number | undefined {
  const first = graph.nodes.find(({ opType, inputs }) => opType === 'Conv' && inputs[0] === graph.inputs[0]?.name);
  if (first === undefined) return undefined;
  const kernel = graph.initializers.get(first.inputs[1]!)?.shape.slice(2) ?? [];
  const strides = attribute(first, 'strides', 'ints', [1, 1]);
  const [side] = kernel;
  return side !== undefined && side > 1 && [...kernel, ...strides].every((one) => one === side) ? side : undefined;
}

/** Float initializers [1, T, D] or [T, D] that are added to something, of as many tokens as there are patches and a few more. */
function positionsOf(graph: Graph, [rows, columns]: Grid): { readonly name: string; readonly others: number }[] {
  const summands = new Set(graph.nodes.flatMap(({ opType, inputs }) => (opType === 'Add' ? inputs : [])));
  return [...graph.initializers].flatMap(([name, { dtype, shape }]) => {
    const others = shape.at(-2)! - rows * columns;
    const isGrid = dtype === 'float32' && (shape.length === 2 || (shape.length === 3 && shape[0] === 1));
    return isGrid && summands.has(name) && others >= 0 && others <= MOST_OTHERS ? [{ name, others }] : [];
  });
}

/** [others + patches after, others + patches before]: what each new token is made of. */
function interpolation(before: Grid, after: Grid, others: number): Tensor {
  const [down, across] = [bicubic(before[0], after[0]), bicubic(before[1], after[1])];
  const [rows, columns] = [others + after[0] * after[1], others + before[0] * before[1]];
  const weights = new Float32Array(rows * columns);
  for (let i = 0; i < others; i++) weights[i * columns + i] = 1;
  for (let y = 0; y < after[0]; y++)
    for (let x = 0; x < after[1]; x++)
      for (let v = 0; v < before[0]; v++)
        for (let u = 0; u < before[1]; u++)
          weights[(others + y * after[1] + x) * columns + others + v * before[1] + u] =
            down[y * before[0] + v]! * across[x * before[1] + u]!;
  return tensor('float32', [rows, columns], weights);
}

/** [to, from] weights of a line resampled, stretched where it shrinks (Keys 1981, a = -0.5). */
function bicubic(from: number, to: number): Float64Array {
  const scale = from / to;
  const stretch = Math.max(1, scale);
  const weights = new Float64Array(to * from);
  for (let i = 0; i < to; i++) {
    const row = weights.subarray(i * from, (i + 1) * from);
    for (let j = 0; j < from; j++) row[j] = keys(Math.abs((j + 0.5 - (i + 0.5) * scale) / stretch));
    const sum = row.reduce((total, weight) => total + weight, 0);
    for (let j = 0; j < from; j++) row[j]! /= sum;
  }
  return weights;
}

function keys(x: number): number {
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}
