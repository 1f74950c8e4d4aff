import { randomStream } from '../core/random.ts';
import { RunError } from '../core/errors.ts';
import { sizeOf, tensor, type Tensor } from '../core/tensor.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import type { Graph } from '../onnx/graph.ts';
import { writeModel } from '../onnx/write.ts';
import type { Cancellable, Engine } from './engine.ts';

export interface SelfTest {
  /** Of a 3-layer convolutional network on 64x64 RGB, batches of 32, forward. */
  readonly imagesPerSecond: number;
  /** Of a product of two matrices of 1,024 x 1,024, float32: 2 * 1024^3 operations each. */
  readonly gigaflops: number;
  readonly seconds: number;
}

const BATCH = 32;
const SIDE = 1024;

/**
 * Runs known work for about `seconds` and checks one number of it.
 * @throws RunError where the engine computes something else than it should.
 */
export async function selfTest(
  engine: Engine,
  options: Cancellable & { readonly seconds?: number } = {},
): Promise<SelfTest> {
  const { seconds = 10, ...cancellable } = options;
  const start = performance.now();
  const [a, b] = [noise([SIDE, SIDE], 'a'), noise([SIDE, SIDE], 'b')];
  const product = await throughput(engine, matrixProduct(), { a, b }, seconds / 2, cancellable, (y) => {
    let expected = 0;
    for (let k = 0; k < SIDE; k++) expected += (a.data[k] as number) * (b.data[k * SIDE] as number);
    const got = y.data[0] as number;
    // 1,024 products of size up to 1, summed in float32.
    if (!(Math.abs(got - expected) < 1e-3))
      throw new RunError(`The engine multiplies wrongly: ${got}, not ${expected}.`);
  });
  const images = noise([BATCH, 3, 64, 64], 'images');
  const network = await throughput(engine, smallNetwork(), { images }, seconds / 2, cancellable, (y) => {
    if (!(y.data as Float32Array).every(Number.isFinite))
      throw new RunError('The engine computed a number that is none.');
  });
  return {
    imagesPerSecond: network * BATCH,
    gigaflops: (product * 2 * SIDE ** 3) / 1e9,
    seconds: (performance.now() - start) / 1000,
  };
}

/** Runs a second. */
async function throughput(
  engine: Engine,
  graph: Graph,
  feeds: Readonly<Record<string, Tensor>>,
  seconds: number,
  cancellable: Cancellable,
  check: (output: Tensor) => void,
): Promise<number> {
  const session = await engine.load(writeModel({ graph }), { name: graph.name });
  try {
    check((await engine.run(session, { feeds }, cancellable))['y']!);
    const times: number[] = [];
    const start = performance.now();
    do {
      times.push(...(await engine.time(session, { feeds }, { warmUp: 1, runs: 3, ...cancellable })));
    } while (performance.now() - start < seconds * 1000);
    return (1000 * times.length) / times.reduce((sum, ms) => sum + ms, 0);
  } finally {
    await session.release();
  }
}

function matrixProduct(): Graph {
  const g = new GraphBuilder('matrix_product');
  g.output(g.op('MatMul', [g.input('a', 'float32', [SIDE, SIDE]), g.input('b', 'float32', [SIDE, SIDE])]), 'y');
  return g.build();
}

function smallNetwork(): Graph {
  const g = new GraphBuilder('small_network');
  let x = g.input('images', 'float32', [BATCH, 3, 64, 64]);
  let channels = 3;
  for (const [i, width] of [32, 64, 128].entries()) {
    const weight = g.initializer(`weight${i}`, noise([width, channels, 3, 3], `weight${i}`));
    const stride = i === 1 ? 1 : 2;
    x = g.op('Relu', [
      g.op('Conv', [x, weight], { kernel_shape: [3, 3], pads: [1, 1, 1, 1], strides: [stride, stride] }),
    ]);
    channels = width;
  }
  g.output(g.op('GlobalAveragePool', [x]), 'y');
  return g.build();
}

/** Uniform in [-1, 1). */
function noise(shape: readonly number[], name: string): Tensor {
  const stream = randomStream('self-test', name);
  return tensor(
    'float32',
    shape,
    Float32Array.from({ length: sizeOf(shape) }, () => 2 * stream.uniform() - 1),
  );
}
