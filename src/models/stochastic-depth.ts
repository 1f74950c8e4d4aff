import { InputError } from '../core/errors.ts';
import { tensor } from '../core/tensor.ts';
import type { GraphBuilder } from '../onnx/builder.ts';
import { tensorAttribute, type Graph } from '../onnx/graph.ts';
import { insert } from '../onnx/insert.ts';
import { residualAdditions, type ResidualAddition } from './residual-additions.ts';

/**
 * A network whose residual branches are skipped at random in training, each for a whole image: stochastic depth (Huang
 * et al. 2016, https://arxiv.org/abs/1603.09382). Block l of L survives with probability p_l = 1 - l/L (1 - p_L) (eq. 4).
 * Here the branch is divided by p_l in training, so that inference needs no factor; the paper multiplies by p_l at inference. The
 * factor of a branch is a Dropout of ones [N, 1, ...]: 1, unless training gives it a mask.
 * @param rate 1 - p_L, at which the last branch is skipped, 0..1 (1 excluded); 0 gives the graph as it is
 * @throws RangeError for a rate out of range, InputError for a network without residual additions.
 */
export function withStochasticDepth(graph: Graph, rate: number): Graph {
  if (!(rate >= 0 && rate < 1))
    throw new RangeError(`The rate of stochastic depth must be at least 0 and below 1, got ${rate}.`);
  if (rate === 0) return graph;
  const additions = stochasticAdditions(graph);
  return insert(
    graph,
    additions.map(({ node, branch }, i) => ({
      node,
      input: branch,
      emit: (b, value) => skippedAtRandom(b, `${node.name}_depth`, value, (rate * (i + 1)) / additions.length),
    })),
  );
}

/** Where branches can be skipped. @throws InputError where there are none */
export function stochasticAdditions(graph: Graph): ResidualAddition[] {
  const additions = residualAdditions(graph);
  if (additions.length === 0)
    throw new InputError(
      `Stochastic depth skips residual branches, and "${graph.name}" has none: expected sums of a block's input and what layers make of it. Leave it out, or choose a network that has them.`,
    );
  return additions;
}

function skippedAtRandom(b: GraphBuilder, name: string, x: string, rate: number): string {
  const batch = b.op('Shape', [x], { start: 0, end: 1 }, { name: `${name}/batch` });
  const rest = b.int(Array.from({ length: b.type(x).shape!.length - 1 }, () => 1));
  const shape = b.op('Concat', [batch, rest], { axis: 0 }, { name: `${name}/shape` });
  const value = tensorAttribute(tensor('float32', [1], Float32Array.of(1)));
  const ones = b.op('ConstantOfShape', [shape], { value }, { name: `${name}/ones` });
  const kept = b.op('Dropout', [ones, b.float(rate)], {}, { name: `${name}/kept` });
  return b.op('Mul', [x, kept], {}, { name });
}
