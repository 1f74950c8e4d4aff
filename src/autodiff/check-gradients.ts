import { randomStream, type RandomStream } from '../core/random.ts';
import { fromNumbers, sizeOf, toNumbers, type Tensor } from '../core/tensor.ts';
import { isFloating } from '../onnx/data-types.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import type { Graph } from '../onnx/graph.ts';
import { gradient } from './gradient.ts';

export interface GradientCheck {
  /** Runs a graph: values of its inputs by name in, of its outputs by name out. Wants float64 arithmetic. */
  readonly evaluate: (graph: Graph, feeds: ReadonlyMap<string, Tensor>) => ReadonlyMap<string, Tensor>;
  /** Values of the graph's inputs: away from kinks, so that both sides of each are smooth. */
  readonly feeds: ReadonlyMap<string, Tensor>;
  /** What to differentiate by: floating inputs and initializers; default: all floating inputs. */
  readonly wrt?: readonly string[];
  /** Outputs to differentiate, together; default: all floating ones. */
  readonly outputs?: readonly string[];
  /** Default 0. */
  readonly seed?: number;
  /** Half the width of the central difference, default 1e-5. */
  readonly step?: number;
  /** Largest difference relative to the larger number, and absolute below 1; default 1e-6. */
  readonly tolerance?: number;
}

/**
 * Checks the gradient of a graph against central differences. Outputs are projected on random
 * directions, L = Σ ⟨v, y⟩, and every input is moved along a random direction u of its own:
 * ⟨∂L/∂x, u⟩ must equal (L(x + h u) - L(x - h u)) / 2h. Needs shapes that are numbers.
 * @returns the largest difference seen.
 * @throws Error with both numbers where they differ by more than the tolerance.
 */
export function checkGradients(graph: Graph, check: GradientCheck): number {
  const stream = randomStream('check-gradients', check.seed ?? 0);
  const wrt = check.wrt ?? graph.inputs.filter((input) => isFloating(input.type.dtype)).map((input) => input.name);
  const feeds = new Map(check.feeds);
  const opened = opening(graph, wrt, feeds);
  const projected = projection(opened, check.outputs, stream);
  const differentiated = gradient(projected, LOSS, wrt);
  const analytic = check.evaluate(differentiated.graph, feeds);

  const step = check.step ?? 1e-5;
  const tolerance = check.tolerance ?? 1e-6;
  let worst = 0;
  for (const name of wrt) {
    const value = feeds.get(name);
    if (value === undefined) throw new RangeError(`checkGradients needs a value for "${name}" in its feeds.`);
    const point = toNumbers(value);
    const direction = point.map(() => stream.normal());
    const lossAt = (distance: number): number => {
      const moved = point.map((x, i) => x + distance * direction[i]!);
      const result = check.evaluate(projected, new Map(feeds).set(name, fromNumbers('float64', value.shape, moved)));
      return toNumbers(result.get(LOSS)!)[0]!;
    };
    const numeric = (lossAt(step) - lossAt(-step)) / (2 * step);
    const slope = toNumbers(analytic.get(differentiated.gradients.get(name)!)!);
    const computed = slope.reduce((sum, s, i) => sum + s * direction[i]!, 0);
    const difference = Math.abs(numeric - computed) / Math.max(1, Math.abs(numeric), Math.abs(computed));
    if (!(difference <= tolerance))
      throw new Error(
        `The gradient of "${graph.name}" with respect to "${name}" along a random direction is ${computed}, ` +
          `central differences give ${numeric} (relative difference ${difference.toExponential(1)}, allowed ${tolerance}).`,
      );
    worst = Math.max(worst, difference);
  }
  return worst;
}

const LOSS = 'projected_loss';

/** The graph with the initializers among `wrt` made inputs; their values are added to `feeds`. */
function opening(graph: Graph, wrt: readonly string[], feeds: Map<string, Tensor>): Graph {
  const initializers = new Map(graph.initializers);
  const inputs = [...graph.inputs];
  for (const name of wrt) {
    const value = initializers.get(name);
    if (value === undefined) continue;
    initializers.delete(name);
    inputs.push({ name, type: { dtype: value.dtype, shape: value.shape } });
    if (!feeds.has(name)) feeds.set(name, value);
  }
  return { ...graph, inputs, initializers };
}

/** The graph with one more value, the sum of its outputs times random numbers, as its only output. */
function projection(graph: Graph, outputs: readonly string[] | undefined, stream: RandomStream): Graph {
  const builder = GraphBuilder.from(graph, { outputs: false });
  const names = outputs ?? graph.outputs.filter((output) => isFloating(output.type.dtype)).map((output) => output.name);
  const terms = names.map((name) => {
    const shape = builder.shape(name);
    const values = Array.from({ length: sizeOf(shape) }, () => stream.normal());
    const weights = builder.constant(fromNumbers(builder.type(name).dtype, shape, values));
    return builder.op('ReduceSum', [builder.op('Mul', [name, weights])], { keepdims: 0 });
  });
  const loss = terms.length === 1 ? terms[0]! : builder.op('Sum', terms);
  builder.output(loss, LOSS);
  return builder.build();
}
