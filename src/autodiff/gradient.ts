import { fromNumbers, sizeOf } from '../core/tensor.ts';
import { suggestion } from '../core/errors.ts';
import { isFloating } from '../onnx/data-types.ts';
import { pruned, tensorAttribute, type Graph, type Node, type ValueInfo } from '../onnx/graph.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { decompose } from './decompose.ts';
import { dependence } from './dependence.ts';
import { renameValues } from './rename.ts';
import { RuleContext, cannotDifferentiate } from './rule.ts';
import { differentiation } from './rules/table.ts';
import { saveOutputs } from './saved-outputs.ts';
import { unbroadcast } from './unbroadcast.ts';

export interface GradientOptions {
  /** A value of the loss's shape that back-propagation starts from; default: ones (the loss must then hold one element). */
  readonly seed?: string;
  /** Values in between that count as constants: no gradient passes them (a label that the network itself predicts). */
  readonly constants?: readonly string[];
}

export interface GradientGraph {
  /** The forward graph with the backward one added. Its outputs: the forward ones, the loss, then the gradients. */
  readonly graph: Graph;
  /** Which value holds the gradient of each tensor asked for, `<tensor>_grad`, of that tensor's shape. */
  readonly gradients: ReadonlyMap<string, string>;
}

/**
 * Reverse-mode differentiation, graph to graph. Adds to `graph` the nodes that compute the gradient
 * of `loss` with respect to each value of `wrt` (inputs, initializers or values in between); a value
 * that the loss does not depend on gets zeros. All shapes on the way must be numbers. Ops that ONNX
 * has no gradient for come as abstract ops of `GRADIENT_DOMAIN`, which `lowering` replaces.
 * @throws RangeError for an unknown name or a loss of more than one element without a seed.
 * @throws ModelError naming the node where an op on the way has no gradient, and the way out.
 * @example
 * const { graph, gradients } = gradient(forward, 'loss', ['fc.weight', 'fc.bias']);
 * gradients.get('fc.weight'); // 'fc.weight_grad'
 */
export function gradient(
  graph: Graph,
  loss: string,
  wrt: readonly string[],
  options: GradientOptions = {},
): GradientGraph {
  const { constants = [] } = options;
  const plain = decompose(graph, loss, wrt);
  const forward = saveOutputs(plain, dependence(plain, loss, wrt, constants).nodes);
  const path = dependence(forward, loss, wrt, constants);
  const builder = GraphBuilder.from(forward);
  for (const name of [loss, ...wrt, ...constants])
    if (!builder.has(name))
      throw new RangeError(`Graph "${graph.name}" has no value "${name}"${suggestion(name, graph.types.keys())}.`);

  const backward = new Backward(builder, forward, path.values);
  backward.contribute(loss, options.seed ?? ones(builder, loss));
  for (const node of path.nodes.toReversed()) backward.visit(node);
  return backward.finish(loss, wrt);
}

class Backward {
  readonly #builder: GraphBuilder;
  readonly #forward: Graph;
  readonly #needed: ReadonlySet<string>;
  readonly #contributions = new Map<string, string[]>();
  readonly #totals = new Map<string, string>();

  constructor(builder: GraphBuilder, forward: Graph, needed: ReadonlySet<string>) {
    this.#builder = builder;
    this.#forward = forward;
    this.#needed = needed;
  }

  contribute(tensor: string, value: string): void {
    const list = this.#contributions.get(tensor);
    if (list === undefined) this.#contributions.set(tensor, [value]);
    else list.push(value);
  }

  /** Runs the rule of a node whose consumers were all visited. */
  visit(node: Node): void {
    const outputGradients = node.outputs.map((output) => (output === '' ? undefined : this.#total(output)));
    if (outputGradients.every((value) => value === undefined)) return;
    const how = differentiation(node);
    if (how.kind === 'refused') throw cannotDifferentiate(node, how.reason);
    if (how.kind !== 'rule') return;
    const context = new RuleContext(node, this.#builder, outputGradients);
    const inputGradients = how.rule(context);
    for (const [i, input] of node.inputs.entries()) {
      if (input === '' || !this.#needed.has(input) || !isFloating(this.#builder.type(input).dtype)) continue;
      if (how.inputs !== undefined && !how.inputs.includes(i)) continue;
      const value = inputGradients[i]?.();
      if (value !== undefined) this.contribute(input, unbroadcast(context, value, this.#builder.shape(input)));
    }
  }

  /** Names the gradients, declares those of `wrt` outputs and drops what nothing reads. */
  finish(loss: string, wrt: readonly string[]): GradientGraph {
    const builder = this.#builder;
    const asked = wrt.map((tensor) => [tensor, this.#total(tensor) ?? zerosLike(builder, tensor)] as const);
    const names = new Map<string, string>();
    const gradients = new Map<string, string>();
    const claim = (tensor: string, value: string): string | undefined => {
      if (!this.#isOwn(value) || names.has(value)) return undefined;
      const name = builder.uniqueName(`${tensor}_grad`);
      names.set(value, name);
      return name;
    };
    for (const [tensor, value] of asked) {
      const name =
        claim(tensor, value) ??
        builder.op('Identity', [value], {}, { outputs: [builder.uniqueName(`${tensor}_grad`)] });
      gradients.set(tensor, name);
    }
    for (const [tensor, value] of this.#totals) claim(tensor, value);

    const graph = renameValues(builder.build(), names);
    const outputs: ValueInfo[] = [...graph.outputs];
    for (const name of [loss, ...gradients.values()])
      if (!outputs.some((output) => output.name === name)) outputs.push({ name, type: graph.types.get(name)! });
    return { graph: pruned({ ...graph, outputs }), gradients };
  }

  /** Whether a value was made by the backward pass, so that it may be given a name. */
  #isOwn(value: string): boolean {
    return !this.#forward.types.has(value) && this.#builder.constantValue(value) === undefined;
  }

  /** The sum of what the consumers of a tensor contributed, undefined where there is nothing. */
  #total(tensor: string): string | undefined {
    const known = this.#totals.get(tensor);
    if (known !== undefined) return known;
    const parts = this.#contributions.get(tensor);
    if (parts === undefined) return undefined;
    const sum = parts.reduce((left, right) =>
      this.#builder.op('Add', [left, right], {}, { name: `${tensor}_grad/Add` }),
    );
    this.#totals.set(tensor, sum);
    return sum;
  }
}

function ones(builder: GraphBuilder, loss: string): string {
  const { dtype } = builder.type(loss);
  const shape = builder.shape(loss);
  if (sizeOf(shape) !== 1)
    throw new RangeError(
      `The loss "${loss}" must hold one element to be differentiated without a seed, got shape [${shape}].`,
    );
  return builder.constant(fromNumbers(dtype, shape, [1]));
}

function zerosLike(builder: GraphBuilder, tensor: string): string {
  const { dtype } = builder.type(tensor);
  return builder.op('ConstantOfShape', [builder.int(builder.shape(tensor))], {
    value: tensorAttribute(fromNumbers(dtype, [1], [0])),
  });
}
