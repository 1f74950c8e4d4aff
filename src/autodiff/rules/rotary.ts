import { attribute } from '../../onnx/graph.ts';
import { decomposed, type Differentiation, type OpContext } from '../rule.ts';

/** Rotary position embedding (Su et al., 2021). */
export const rotary = {
  // Pairs of features turned by an angle a position: a' = a cos - b sin, b' = a sin + b cos
  RotaryEmbedding: decomposed((c) => {
    const x = c.input(0);
    const shape = c.shape(x);
    // [N, L, heads, size] throughout
    const heads = shape.length === 4 ? shape[1]! : attribute(c.node, 'num_heads', 'int');
    const [n, length] = (shape.length === 4 ? [shape[0], shape[2]] : [shape[0], shape[1]]) as [number, number];
    const size = shape.length === 4 ? shape[3]! : shape[2]! / heads;
    const rows = shape.length === 4 ? c.transpose(x, [0, 2, 1, 3]) : c.reshape(x, [n, length, heads, size]);
    const turned = attribute(c.node, 'rotary_embedding_dim', 'int', 0) || size;
    const half = turned / 2;
    const [cos, sin] = [1, 2].map((index) => c.reshape(angles(c, index), [n, length, 1, half])) as [string, string];
    const interleaved = attribute(c.node, 'interleaved', 'int', 0) === 1;
    const [a, b] = pairs(c, part(c, rows, 0, turned, 3), [n, length, heads, half], interleaved);
    const first = c.sub(c.mul(a, cos), c.mul(b, sin));
    const second = c.add(c.mul(a, sin), c.mul(b, cos));
    let result = interleaved
      ? c.reshape(c.op('Concat', [column(c, first), column(c, second)], { axis: 4 }), [n, length, heads, turned])
      : c.op('Concat', [first, second], { axis: 3 });
    if (turned < size) result = c.op('Concat', [result, part(c, rows, turned, size, 3)], { axis: 3 });
    return [shape.length === 4 ? c.transpose(result, [0, 2, 1, 3]) : c.reshape(result, shape)];
  }),
} satisfies Record<string, Differentiation>;

/** The cosines or sines of every position, [N, L, half]: given so, or looked up by position. */
function angles(c: OpContext, index: number): string {
  const positions = c.optional(3);
  return positions === undefined ? c.input(index) : c.op('Gather', [c.input(index), positions], { axis: 0 });
}

function part(c: OpContext, value: string, start: number, end: number, axis: number): string {
  if (start === 0 && end === c.shape(value)[axis]) return value;
  return c.op('Slice', [value, c.ints([start]), c.ints([end]), c.ints([axis])]);
}

function column(c: OpContext, value: string): string {
  return c.reshape(value, [...c.shape(value), 1]);
}

/** The two features of every pair: neighbours where interleaved, else first and second half. */
function pairs(c: OpContext, value: string, shape: readonly number[], interleaved: boolean): [string, string] {
  const half = shape[3]!;
  if (!interleaved) return [part(c, value, 0, half, 3), part(c, value, half, 2 * half, 3)];
  const split = c.reshape(value, [...shape, 2]);
  return [0, 1].map((i) => c.reshape(part(c, split, i, i + 1, 4), shape)) as [string, string];
}
