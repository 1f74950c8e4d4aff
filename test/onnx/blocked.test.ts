import { describe, expect, it } from 'vitest';
import { GraphBuilder, type AttributeInput } from '../../src/onnx/builder.ts';
import { NCHWC_DOMAIN, type Shape } from '../../src/onnx/graph.ts';
import { writeModel } from '../../src/onnx/write.ts';
import { randomFeeds, run } from './engine.ts';

/** 32 channels are whole blocks of 16 and of 8. */
const image: Shape = [2, 32, 9, 8];
const domain = NCHWC_DOMAIN;

const cases: readonly [string, string, readonly Shape[], Record<string, AttributeInput>][] = [
  [
    'a convolution',
    'Conv',
    [image, [16, 32, 3, 3], [16]],
    { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] },
  ],
  ['a depthwise convolution', 'Conv', [image, [32, 1, 3, 3]], { kernel_shape: [3, 3], group: 32, dilations: [2, 1] }],
  ['a convolution that adds', 'Conv', [image, [32, 32, 1, 1], [32], image], { kernel_shape: [1, 1] }],
  [
    'a first convolution',
    'Conv',
    [
      [2, 3, 9, 8],
      [16, 3, 3, 3],
    ],
    { kernel_shape: [3, 3] },
  ],
  ['max pooling', 'MaxPool', [image], { kernel_shape: [3, 2], strides: [2, 2], ceil_mode: 1 }],
  ['average pooling', 'AveragePool', [image], { kernel_shape: [3, 3], strides: [2, 1], pads: [1, 1, 1, 1] }],
  ['global average pooling', 'GlobalAveragePool', [image], {}],
  ['global max pooling', 'GlobalMaxPool', [image], {}],
];

describe('shapes of the blocked operators are those the engine makes', () => {
  it.each(cases)('%s', async (_, op, shapes, attributes) => {
    const b = new GraphBuilder('blocked');
    const inputs = shapes.map((shape, i) => b.input(`in${i}`, 'float32', shape));
    const y = b.op(op, inputs, attributes, { domain });
    b.output(y, 'y');
    const graph = b.build();
    const { y: result } = await run(writeModel({ graph }), randomFeeds(graph));
    expect(b.shape(y)).toEqual(result!.shape);
  });

  it('reordering there and back', async () => {
    const b = new GraphBuilder('blocked');
    const blocked = b.op('ReorderInput', [b.input('x', 'float32', image)], {}, { domain });
    const y = b.op('ReorderOutput', [blocked], { channels: 30 }, { domain });
    b.output(y, 'y');
    const graph = b.build();
    const { y: result } = await run(writeModel({ graph }), randomFeeds(graph));
    expect(result!.shape).toEqual([2, 30, 9, 8]);
    expect(b.shape(y)).toEqual(result!.shape);
  });

  it('refuses a sum of another shape', () => {
    const b = new GraphBuilder('blocked');
    const [x, w, sum] = [
      b.input('x', 'float32', image),
      b.input('w', 'float32', [16, 32, 1, 1]),
      b.input('s', 'float32', image),
    ];
    expect(() => b.op('Conv', [x, w, '', sum], { kernel_shape: [1, 1] }, { domain })).toThrow(/must have its shape/);
  });
});
