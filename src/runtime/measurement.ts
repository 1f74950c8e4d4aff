import { randomStream } from '../core/random.ts';
import { fromNumbers, sizeOf, type DataType, type Tensor } from '../core/tensor.ts';
import type { Graph } from '../onnx/graph.ts';
import { writeModel } from '../onnx/write.ts';
import type { Cancellable, Engine, Session } from './engine.ts';

const MOST_ROUNDS = 7;
/** Fewer rounds, but never fewer than three, where the graphs are slow. */
const BUDGET_MS = 400;
const FEWEST_ROUNDS = 3;
/** One whose best run takes this many times the best of all is not run again. */
const HOPELESS = 2;

interface Contestant {
  session: Session | undefined;
  /** Input name to the tensor in the engine. */
  readonly resident: Readonly<Record<string, string>>;
  readonly times: number[];
}

/**
 * Median milliseconds of one run of each graph on random inputs; Infinity for one that the engine can't
 * run. The graphs take turns, so that a disturbance of the machine meets all of them alike.
 * @param graphs whose input shapes are known; each may have inputs of its own.
 */
export async function measure(engine: Engine, graphs: readonly Graph[], options: Cancellable = {}): Promise<number[]> {
  const contestants: Contestant[] = [];
  try {
    for (const [i, graph] of graphs.entries()) contestants.push(await enter(engine, graph, `measure/${i}/`));
    const start = performance.now();
    for (let round = 0; round < MOST_ROUNDS; round++) {
      if (round >= FEWEST_ROUNDS && performance.now() - start > BUDGET_MS) break;
      const best = Math.min(...contestants.flatMap(({ times }) => times));
      for (const contestant of contestants)
        if (!(Math.min(...contestant.times) > HOPELESS * best)) await runOnce(engine, contestant, options);
    }
    return contestants.map(({ session, times }) => (session === undefined ? Infinity : median(times)));
  } finally {
    for (const { session, resident } of contestants) {
      await session?.release();
      await engine.free(Object.values(resident));
    }
  }
}

async function enter(engine: Engine, graph: Graph, prefix: string): Promise<Contestant> {
  const resident = Object.fromEntries(graph.inputs.map(({ name }) => [name, prefix + name]));
  await engine.put(
    Object.fromEntries(
      graph.inputs.map(({ name, type }) => [prefix + name, anyTensor(type.dtype, type.shape as readonly number[])]),
    ),
    { transfer: true },
  );
  try {
    return { session: await engine.load(writeModel({ graph }), { name: graph.name }), resident, times: [] };
  } catch {
    // This engine, on this device, has no kernel for it: the others decide.
    return { session: undefined, resident, times: [] };
  }
}

async function runOnce(engine: Engine, contestant: Contestant, options: Cancellable): Promise<void> {
  const { session, resident, times } = contestant;
  if (session === undefined) return;
  try {
    times.push(...(await engine.time(session, { resident }, { warmUp: 1, runs: 1, ...options })));
  } catch (error) {
    if (options.signal?.aborted) throw error;
    contestant.session = undefined;
    await session.release();
  }
}

/** Floats of -1 to 1 (zeros, denormals and infinities run at other speeds); integers are indices, all 0. */
function anyTensor(dtype: DataType, shape: readonly number[]): Tensor {
  const size = sizeOf(shape);
  const stream = randomStream('measure');
  const some = Array.from({ length: 1009 }, () => (dtype.includes('float') ? 2 * stream.uniform() - 1 : 0));
  const few = fromNumbers(dtype, [some.length], some).data as Float32Array;
  const data = new (few.constructor as Float32ArrayConstructor)(size);
  for (let i = 0; i < size; i += few.length) data.set(few.subarray(0, Math.min(few.length, size - i)), i);
  return { dtype, shape, data };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
