import { tensor, toNumbers } from '../core/tensor.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { NCHWC_DOMAIN } from '../onnx/graph.ts';
import { writeModel } from '../onnx/write.ts';
import type { Engine } from './engine.ts';

/** A multiple of every block width there is or is likely to be. */
const CHANNELS = 64;
const WIDTH = 2;

/** It can't change while the process lives. */
const known = new Map<string, Promise<number>>();

/**
 * How many channels stand together in the engine's blocked layout (NCHWc): 16 with AVX-512, 8 with AVX2
 * and NEON, 1 where there is no such layout (another device, another engine, another processor).
 */
export function blockSize(engine: Engine): Promise<number> {
  if (engine.device !== 'cpu') return Promise.resolve(1);
  let size = known.get(engine.version);
  if (size === undefined) {
    size = measure(engine);
    known.set(engine.version, size);
  }
  return size;
}

/** Reorders a ramp [1, C, 1, W] and looks where its second pixel went. */
async function measure(engine: Engine): Promise<number> {
  const builder = new GraphBuilder('block_size');
  const x = builder.input('x', 'float32', [1, CHANNELS, 1, WIDTH]);
  builder.output(builder.op('ReorderInput', [x], {}, { domain: NCHWC_DOMAIN }), 'y');
  const ramp = Float32Array.from({ length: CHANNELS * WIDTH }, (_, i) => i);
  try {
    const session = await engine.load(writeModel({ graph: builder.build() }), { name: 'the ramp', threads: 1 });
    const { y } = await engine.run(session, { feeds: { x: tensor('float32', [1, CHANNELS, 1, WIDTH], ramp) } });
    await session.release();
    return blockOfRamp(toNumbers(y!));
  } catch {
    // An engine without these operators says so when it loads the model.
    return 1;
  }
}

/** The block width B for which `reordered` is the ramp in the order [C/B, W, B]; 1 where it is none. */
export function blockOfRamp(reordered: readonly number[]): number {
  const block = reordered.indexOf(1);
  if (block < 2 || CHANNELS % block !== 0) return 1;
  const isBlocked = reordered.every((value, i) => {
    const [outer, pixel, inner] = [Math.floor(i / (WIDTH * block)), Math.floor(i / block) % WIDTH, i % block];
    return value === (outer * block + inner) * WIDTH + pixel;
  });
  return isBlocked && reordered.length === CHANNELS * WIDTH ? block : 1;
}
