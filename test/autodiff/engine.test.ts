import { describe, expect, it } from 'vitest';
import { InferenceSession, Tensor as EngineTensor } from 'onnxruntime-node';
import { gradient } from '../../src/autodiff/gradient.ts';
import { randomStream } from '../../src/core/random.ts';
import { fromNumbers, sizeOf, toNumbers } from '../../src/core/tensor.ts';
import { lower } from '../../src/lowering/lower.ts';
import type { Target } from '../../src/lowering/target.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { writeModel } from '../../src/onnx/write.ts';
import { blockSize } from '../lowering/engine.ts';
import { evaluate } from '../reference/interpreter.ts';
import { rows } from './rows/all.ts';
import { graphOf, type Row } from './rows/row.ts';

const block = await blockSize();
const TARGETS: readonly Target[] = [{ kind: 'plain' }, ...(block > 1 ? [{ kind: 'blocked', block } as const] : [])];

const norm = (values: readonly number[]): number => Math.sqrt(values.reduce((sum, x) => sum + x * x, 0));

/** The gradient of a random projection of a row's outputs by all its inputs. */
function differentiated(row: Row): { graph: Graph; feeds: ReturnType<typeof graphOf>['feeds'] } {
  const { graph, feeds } = graphOf(row, 'float32');
  const stream = randomStream('engine', row.op, row.what);
  const builder = GraphBuilder.from(graph, { outputs: false });
  const outputs = row.differentiated?.map((index) => graph.outputs[index]!) ?? graph.outputs;
  const terms = outputs.flatMap(({ name, type }) => {
    if (type.dtype !== 'float32') return [];
    const shape = builder.shape(name);
    const weights = Array.from({ length: sizeOf(shape) }, () => stream.normal());
    const product = builder.op('Mul', [name, builder.constant(fromNumbers('float32', shape, weights))]);
    return [builder.op('ReduceSum', [product], { keepdims: 0 })];
  });
  builder.output(builder.op('Sum', terms), 'loss');
  return { graph: gradient(builder.build(), 'loss', [...feeds.keys()]).graph, feeds };
}

describe('every gradient, lowered, is the same on the engine as in the interpreter', () => {
  const standard = rows.filter((row) => row.engineDiffers === undefined && !row.what.includes('to float64'));

  it.each(standard.map((row) => [`${row.op}: ${row.what}`, row] as const))('%s', async (_, row) => {
    const { graph, feeds } = differentiated(row);
    const expected = evaluate(graph, feeds);
    const inputs = [...feeds].map(
      ([name, { data, shape }]) => [name, new EngineTensor('float32', data as Float32Array, shape)] as const,
    );
    for (const target of TARGETS) {
      const session = await InferenceSession.create(writeModel({ graph: lower(graph, target).graph }), {
        logSeverityLevel: 3,
      });
      const results = await session.run(Object.fromEntries(inputs));
      await session.release();
      for (const [name, value] of expected) {
        const [ours, theirs] = [toNumbers(value), Array.from(results[name]!.data as Float32Array, Number)];
        // Below a thousandth a gradient is a difference of larger numbers, and float32 has no more digits to give.
        const error = norm(ours.map((x, i) => x - theirs[i]!)) / Math.max(norm(ours), 1e-3);
        expect(error, `${name}, ${target.kind}`).toBeLessThan(1e-4);
      }
    }
  });
});
