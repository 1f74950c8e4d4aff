import { fromNumbers } from '../../src/core/tensor.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { RESIZES } from './cases.ts';
import * as direct from './direct.ts';
import type { Values } from './direct.ts';
import { run } from './engine.ts';

/**
 * The adjoint of the engine's own Resize: it is linear and the same for every image and channel, so its
 * matrix is what it makes of each pixel alone, as the channels of one image.
 */
export async function resizeAdjoint({ x, y, attributes }: (typeof RESIZES)[number]): Promise<(dy: Values) => Values> {
  const [h, w] = [x[2]!, x[3]!];
  const [outputH, outputW] = [y[2]!, y[3]!];
  const b = new GraphBuilder('resize');
  const input = b.input('x', 'float32', [1, h * w, h, w]);
  const sizes = b.int([1, h * w, outputH, outputW]);
  const made = b.op('Resize', [input, '', '', sizes], { ...attributes });
  const graph = {
    ...b.build(),
    outputs: [{ name: made, type: { dtype: 'float32', shape: [1, h * w, outputH, outputW] } as const }],
  };
  const identity = Array.from({ length: (h * w) ** 2 }, (_, i) => (i % (h * w) === Math.floor(i / (h * w)) ? 1 : 0));
  const results = await run(graph, { x: fromNumbers('float32', [1, h * w, h, w], identity) });
  const matrix = results[made]!.data as Float32Array;
  const pixels = outputH * outputW;
  return (dy) =>
    direct.map(direct.empty(x), (_, i) => {
      const [image, pixel] = [Math.floor(i / (h * w)), i % (h * w)];
      let sum = 0;
      for (let o = 0; o < pixels; o++) sum += dy.data[image * pixels + o]! * matrix[pixel * pixels + o]!;
      return sum;
    });
}
