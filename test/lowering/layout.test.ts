import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromNumbers } from '../../src/core/tensor.ts';
import { Emitter } from '../../src/lowering/emitter.ts';
import { Layout, type LayoutName } from '../../src/lowering/layout.ts';
import { blockedWeightLayout } from '../../src/lowering/weight-layout.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { indices, offset } from './direct.ts';
import { run } from './engine.ts';

const ramp = (shape: readonly number[]) =>
  fromNumbers(
    'float32',
    shape,
    Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i + 1),
  );

/** Where the engine expects element [a, b, y, x], from the description of its layouts. */
const PLACES: Record<LayoutName, (index: number[], shape: number[], block: number) => number> = {
  channels: ([n, c, y, x], [, channels, h, w], B) =>
    offset([1, Math.ceil(channels! / B), h!, w!, B], [n!, Math.floor(c! / B), y!, x!, c! % B]),
  outputs: ([o, i, y, x], [, inputs, h, w], B) =>
    offset([1, inputs!, h!, w!, B], [Math.floor(o! / B), i!, y!, x!, o! % B]),
  dense: ([o, i, y, x], [, inputs, h, w], B) =>
    offset([1, Math.ceil(inputs! / B), h!, w!, B, B], [Math.floor(o! / B), Math.floor(i! / B), y!, x!, i! % B, o! % B]),
};

describe.each(['channels', 'dense', 'outputs'] as const)('the layout %s', (name) => {
  for (const block of [8, 16])
    for (const shape of [
      [16, 32, 3, 2],
      [5, 19, 1, 3],
      [33, 1, 3, 3],
    ])
      it(`packs [${shape}] in blocks of ${block} with zeros, and unpacks it`, () => {
        const layout = new Layout(name, block);
        const value = ramp(shape);
        const packed = layout.pack(value);
        const stored = shape.map((side, axis) => (layout.isSplit(axis) ? Math.ceil(side / block) * block : side));
        expect(packed.shape).toEqual(stored);
        let sum = 0;
        for (const index of indices(shape)) {
          const element = value.data[offset(shape, index)] as number;
          expect(packed.data[PLACES[name](index, shape, block)]).toBe(element);
          sum += element;
        }
        expect((packed.data as Float32Array).reduce((a, b) => a + b, 0)).toBe(sum);
        expect(layout.unpack(packed, shape)).toEqual(value);
      });
});

it('a weight layout refuses tensors of other shapes', () => {
  const layout = blockedWeightLayout(new Layout('dense', 8), [10, 4, 3, 3]);
  expect(layout.packedShape).toEqual([16, 8, 3, 3]);
  expect(() => layout.pack(ramp([16, 8, 3, 3]))).toThrow(/shape \[10,4,3,3\].*got \[16,8,3,3\]/);
  expect(() => layout.unpack(ramp([10, 4, 3, 3]))).toThrow(RangeError);
});

it('rearranging in steps is a Transpose', async () => {
  const shapes = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 2, maxLength: 6 }).chain((shape) =>
    fc.tuple(
      fc.constant(shape),
      fc.shuffledSubarray(
        shape.map((_, axis) => axis),
        { minLength: shape.length },
      ),
    ),
  );
  await fc.assert(
    fc.asyncProperty(shapes, async ([shape, perm]) => {
      const b = new GraphBuilder('g');
      const x = b.input('x', 'float32', shape);
      b.output(b.op('Transpose', [x], { perm }), 'expected');
      b.output(new Emitter(b, 'test').rearrange(x, shape, perm), 'found');
      const { expected, found } = await run(b.build(), { x: ramp(shape) });
      expect(found).toEqual(expected);
    }),
    { numRuns: 60, seed: 1 },
  );
});
