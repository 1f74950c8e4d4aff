import { float32, tensor } from '../../src/core/tensor.ts';
import { randomStream } from '../../src/core/random.ts';
import type { DeployableParts } from '../../src/export/deployable.ts';
import { parsePreprocessing } from '../../src/models/preprocessing.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Graph } from '../../src/onnx/graph.ts';

/** Every value is named as an output or input of the deployed model, to provoke clashes. */
export function smallNetwork(classes = 3, side = 16): Graph {
  const b = new GraphBuilder('small');
  const random = (name: string, shape: number[], scale: number): string => {
    const stream = randomStream('small network', name);
    const size = shape.reduce((product, s) => product * s, 1);
    return b.initializer(
      name,
      tensor(
        'float32',
        shape,
        Float32Array.from({ length: size }, () => stream.normal() * scale),
      ),
    );
  };
  const ones = (name: string, value: number): string =>
    b.initializer(name, float32(Array.from({ length: 8 }, () => value)));
  const x = b.input('image', 'float32', ['N', 3, side, side]);
  const conv = b.op(
    'Conv',
    [x, random('stem.weight', [8, 3, 3, 3], 0.3)],
    { pads: [1, 1, 1, 1] },
    { outputs: ['classes'] },
  );
  const norm = b.op(
    'BatchNormalization',
    [conv, random('bn.weight', [8], 1), random('bn.bias', [8], 0.2), ones('bn.mean', 0.1), ones('bn.var', 1.5)],
    {},
    { outputs: ['probabilities'] },
  );
  const relu = b.op('Relu', [norm], {}, { outputs: ['crop'] });
  const second = b.op('Conv', [relu, random('second.weight', [8, 8, 3, 3], 0.2), random('second.bias', [8], 0.1)], {
    pads: [1, 1, 1, 1],
    strides: [2, 2],
  });
  const branch = b.op('Conv', [relu, random('branch.weight', [8, 8, 1, 1], 0.3)], { strides: [2, 2] });
  const sum = b.op('Relu', [b.op('Add', [second, branch])]);
  const pooled = b.op('Flatten', [b.op('GlobalAveragePool', [sum])], { axis: 1 }, { outputs: ['embedding'] });
  b.output(
    b.op(
      'Gemm',
      [pooled, random('head.weight', [classes, 8], 1.5), random('head.bias', [classes], 0.1)],
      { transB: 1 },
      {
        outputs: ['logits'],
      },
    ),
  );
  b.output(pooled);
  return b.build();
}

export function smallParts(changes: Partial<DeployableParts> = {}): DeployableParts {
  return {
    graph: smallNetwork(),
    preprocessing: parsePreprocessing(
      { inputSize: [16, 16], mean: [120, 110, 100], std: [60, 61, 62], cropFraction: 0.875 },
      'test',
    ),
    classes: ['cat', 'dog', 'größer "x"'],
    temperature: 1.7,
    abstainThreshold: 0.6,
    provenance: { seed: 3, data: 'abc' },
    ...changes,
  };
}

/** [height, width, 3] uint8 with structure. */
export function photo(width: number, height: number, seed = 0): { width: number; height: number; data: Uint8Array } {
  const stream = randomStream('photo', seed);
  const [a, b, c] = [stream.uniform() * 255, 2 + stream.integer(9), stream.uniform()] as const;
  const data = new Uint8Array(width * height * 3);
  for (let y = 0, i = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let k = 0; k < 3; k++, i++)
        data[i] = 127 + 90 * Math.sin((x / b) * (1 + k * c) + y / (b + k)) + (stream.uniform() - 0.5) * a * 0.2;
  return { width, height, data };
}
