import { describe, expect, it } from 'vitest';
import { InferenceSession, Tensor as EngineTensor } from 'onnxruntime-node';
import { gradient } from '../../src/autodiff/gradient.ts';
import { fromNumbers, toNumbers } from '../../src/core/tensor.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { GRADIENT_DOMAIN } from '../../src/onnx/graph.ts';
import { writeModel } from '../../src/onnx/write.ts';
import { rows } from '../autodiff/rows/all.ts';
import { graphOf } from '../autodiff/rows/row.ts';
import { erf } from './ops/elementwise.ts';
import { evaluate } from './interpreter.ts';

/** The interpreter is the witness for gradients; here the engine is the witness for the interpreter. */
describe('the interpreter computes what ONNX Runtime computes', () => {
  const standard = rows.filter((row) => row.domain !== GRADIENT_DOMAIN && row.engineDiffers === undefined);
  for (const row of rows)
    if (row.engineDiffers !== undefined) it.skip(`${row.op}: ${row.what} (it ${row.engineDiffers})`);

  it.each(standard.map((row) => [`${row.op}: ${row.what}`, row] as const))('%s', async (_, row) => {
    const { graph, feeds } = graphOf(row, 'float32');
    const ours = evaluate(graph, feeds);
    const session = await InferenceSession.create(writeModel({ graph }), { logSeverityLevel: 3 });
    const inputs = [...feeds].map(
      ([name, { data, shape }]) => [name, new EngineTensor('float32', data as Float32Array, shape)] as const,
    );
    const theirs = await session.run(Object.fromEntries(inputs));
    await session.release();
    for (const [name, value] of ours) {
      const [mine, engine] = [toNumbers(value), Array.from(theirs[name]!.data as Float32Array, Number)];
      expect(value.shape).toEqual(theirs[name]!.dims);
      for (const [i, x] of mine.entries()) expect(Math.abs(x - engine[i]!)).toBeLessThan(1e-5 * (1 + Math.abs(x)));
    }
  });

  it('sends the gradient of a maximum to the first of equals, in row-major order', () => {
    // The engine computes no gradients; PyTorch's max_pool2d takes the first maximum too.
    const b = new GraphBuilder('ties');
    const x = b.input('x', 'float32', [1, 1, 3, 3]);
    b.output(b.op('MaxPool', [x], { kernel_shape: [2, 2] }), 'y');
    b.output(b.op('ReduceSum', ['y'], { keepdims: 0 }), 'loss');
    const { graph } = gradient(b.build(), 'loss', ['x']);
    const ties = fromNumbers('float32', [1, 1, 3, 3], [1, 1, 0, 1, 1, 0, 0, 0, 0]);
    const dX = evaluate(graph, new Map([['x', ties]])).get('x_grad')!;
    expect(toNumbers(dX)).toEqual([1, 1, 0, 1, 1, 0, 0, 0, 0]);
  });

  it('knows the error function to 15 digits', () => {
    // Abramowitz and Stegun, table 7.1, and erf(3) to more digits.
    expect(erf(0.5)).toBeCloseTo(0.5204998778130465, 15);
    expect(erf(1)).toBeCloseTo(0.8427007929497149, 15);
    expect(erf(2)).toBeCloseTo(0.9953222650189527, 15);
    expect(erf(-3)).toBeCloseTo(-0.9999779095030014, 15);
  });
});
