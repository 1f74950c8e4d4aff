import { randomStream } from '../core/random.ts';
import { fromNumbers, int64, sizeOf, type DataType, type Tensor } from '../core/tensor.ts';
import { ONNX_DOMAIN, type Graph } from '../onnx/graph.ts';
import { writeModel } from '../onnx/write.ts';
import type { Cancellable, Engine, Session } from './engine.ts';
import { TRAINING_SESSION } from './session-options.ts';

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
 * Milliseconds of the best run of each graph on random inputs; Infinity for one that the engine can't run. The graphs
 * take turns, so that a disturbance of the machine meets all of them alike; a thread that is woken late
 * adds more than most ops take, and never less than nothing: hence the best run, and not the median.
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
    return contestants.map(({ session, times }) => (session === undefined ? Infinity : Math.min(...times)));
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
  const model = writeModel({ graph: withSmallOutputs(graph) });
  try {
    return { session: await engine.load(model, { ...TRAINING_SESSION, name: graph.name }), resident, times: [] };
  } catch {
    // This engine, on this device, has no kernel for it: the others decide.
    return { session: undefined, resident, times: [] };
  }
}

/** One element of each output: what a run gives out lies in fresh memory and is copied, which costs more than most ops. */
export function withSmallOutputs(graph: Graph): Graph {
  const nodes = [...graph.nodes];
  const initializers = new Map(graph.initializers);
  const outputs = graph.outputs.map((output, i) => {
    const axes = (output.type.shape ?? []).map((_, axis) => axis);
    if (axes.length === 0) return output;
    const operands = { starts: axes.map(() => 0), ends: axes.map(() => 1), axes };
    const inputs = Object.entries(operands).map(([what, values]) => {
      initializers.set(`measure/${i}/${what}`, int64(values));
      return `measure/${i}/${what}`;
    });
    const name = `measure/${i}`;
    nodes.push({
      name,
      opType: 'Slice',
      domain: ONNX_DOMAIN,
      inputs: [output.name, ...inputs],
      outputs: [name],
      attributes: {},
    });
    return { name, type: { ...output.type, shape: axes.map(() => 1) } };
  });
  return { ...graph, nodes, initializers, outputs };
}

async function runOnce(engine: Engine, contestant: Contestant, options: Cancellable): Promise<void> {
  const { session, resident, times } = contestant;
  if (session === undefined) return;
  try {
    times.push(...(await engine.time(session, { resident }, { warmUp: 1, runs: 3, ...options })));
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
