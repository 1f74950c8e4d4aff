import { tensor } from '../core/tensor.ts';
import type { Embedded } from '../evaluate/outliers.ts';
import { rowsOfLengthOne } from '../core/rows-of-length-one.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { writeModel } from '../onnx/write.ts';
import type { Engine } from '../runtime/engine.ts';

/** Rows of a matrix that are nearest to a row. */
export interface Nearest {
  readonly row: number;
  /** Cosine, -1..1. */
  readonly similarity: number;
}

/** Rows asked about in one run: with 20,000 others, 20 MB of products. */
const BATCH = 256;
const RESIDENT = 'nearest-rows/others';

/**
 * The nearest rows of `others` by cosine, exactly, computed by the engine.
 * @param isSame whether `asked` are the same rows: then none is its own neighbour
 * @returns for each row of `asked` at most `count`, falling
 */
export async function nearestRows(
  engine: Engine,
  asked: Embedded,
  others: Embedded,
  count: number,
  isSame: boolean,
  options: { readonly signal?: AbortSignal } = {},
): Promise<Nearest[][]> {
  const { width } = asked;
  const rows = others.data.length / width;
  const taken = Math.min(rows, count + Number(isSame));
  if (taken === 0) return Array.from({ length: asked.data.length / width }, () => []);
  const b = new GraphBuilder('nearest_rows');
  const inputs = [b.input('asked', 'float32', ['N', width]), b.input('others', 'float32', [rows, width])];
  const products = b.op('Gemm', inputs, { transB: 1 });
  b.addNode({
    name: 'nearest',
    opType: 'TopK',
    domain: '',
    inputs: [products, b.int([taken])],
    outputs: ['similarities', 'rows'],
    attributes: {},
  });
  b.output('similarities');
  b.output('rows');
  const session = await engine.load(writeModel({ graph: b.build() }), { name: 'nearest rows', deterministic: true });
  await engine.put({
    [RESIDENT]: tensor('float32', [rows, width], Float32Array.from(rowsOfLengthOne(others.data, width))),
  });
  try {
    const found: Nearest[][] = [];
    const all = Float32Array.from(rowsOfLengthOne(asked.data, width));
    for (let from = 0; from * width < all.length; from += BATCH) {
      const some = all.subarray(from * width, (from + BATCH) * width);
      const feeds = { asked: tensor('float32', [some.length / width, width], some) };
      const result = await engine.run(session, { feeds, resident: { others: RESIDENT } }, options);
      const similarities = result['similarities']!.data as Float32Array;
      const indices = Array.from(result['rows']!.data as BigInt64Array, Number);
      for (let i = 0; i < some.length / width; i++) {
        const near = Array.from({ length: taken }, (_, j) => ({
          row: indices[i * taken + j]!,
          similarity: similarities[i * taken + j]!,
        }));
        found.push(near.filter(({ row }) => !isSame || row !== from + i).slice(0, count));
      }
    }
    return found;
  } finally {
    await engine.free([RESIDENT]);
    await session.release();
  }
}
