import { InputError, suggestion } from '../core/errors.ts';
import { capturedNames, consumers, type Graph, type Node } from '../onnx/graph.ts';
import { constantValues } from './subgraph.ts';

export interface TrainPatterns {
  /** Only what matches is trained. Default: everything. */
  readonly train?: readonly string[];
  /** What matches is not trained, whatever `train` says. */
  readonly freeze?: readonly string[];
}

/**
 * The parameters that patterns leave to be trained, in the order given. A pattern is a glob (`*` any
 * characters, `?` one) over the whole name of a parameter or of a node that reads it: `layer4.*`, `head.*`.
 * @throws InputError for a pattern that matches nothing, and where nothing is left.
 * @example
 * selectTrainable(graph, trainableParameters(graph, 'logits'), { freeze: ['layer1.*'] });
 */
export function selectTrainable(graph: Graph, parameters: readonly string[], patterns: TrainPatterns): string[] {
  const { train = [], freeze = [] } = patterns;
  if (train.length === 0 && freeze.length === 0) return [...parameters];
  const names = namesOfParameters(graph, parameters);
  const known = [...new Set([...names.values()].flat())];
  const compiled = (flag: string, list: readonly string[]): RegExp[] =>
    list.map((pattern) => {
      const expression = glob(pattern);
      if (known.some((name) => expression.test(name))) return expression;
      throw new InputError(
        `${flag} ${pattern} matches no parameter and no node that reads one${suggestion(pattern, known)}. There are ${known.length} names, for instance ${known.slice(0, 3).join(', ')}.`,
      );
    });
  const wanted = compiled('--train', train);
  const frozen = compiled('--freeze', freeze);
  const matches = (expressions: readonly RegExp[], parameter: string): boolean =>
    names.get(parameter)!.some((name) => expressions.some((expression) => expression.test(name)));
  const selected = parameters.filter(
    (parameter) => (wanted.length === 0 || matches(wanted, parameter)) && !matches(frozen, parameter),
  );
  if (selected.length === 0)
    throw new InputError(
      `--train ${train.join(' ') || '*'} and --freeze ${freeze.join(' ') || '(nothing)'} leave nothing to train.`,
    );
  return selected;
}

/** A parameter's own name and those of the nodes that read it, also through what is computed from weights alone. */
function namesOfParameters(graph: Graph, parameters: readonly string[]): Map<string, string[]> {
  const readers = consumers(graph);
  const constant = constantValues(graph);
  return new Map(
    parameters.map((parameter) => {
      const names = [parameter];
      const pending = [parameter];
      for (let value = pending.pop(); value !== undefined; value = pending.pop())
        for (const node of readers.get(value) ?? []) {
          names.push(node.name);
          pending.push(...node.outputs.filter((output) => constant.has(output)));
        }
      return [parameter, names];
    }),
  );
}

function glob(pattern: string): RegExp {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, 's');
}

/** The part of a network that training does not change. */
export interface FrozenPrefix {
  /** The values that the rest reads of it, in the order of the graph; the graph's own inputs where nothing is frozen. */
  readonly boundary: readonly string[];
  /** The nodes that make them. */
  readonly nodes: readonly Node[];
}

/**
 * What can be computed once and cached: every value that depends on an input but on no trainable
 * parameter (nor on a running statistic, where the caller lists those that move too) and is read by
 * something that does. Nothing before the boundary is back-propagated.
 * @param trainable names of initializers
 */
export function frozenPrefix(graph: Graph, trainable: Iterable<string>): FrozenPrefix {
  const constant = constantValues(graph);
  const moving = new Set(trainable);
  const boundary = new Set<string>();
  const isFrozenActivation = (name: string): boolean => name !== '' && !constant.has(name) && !moving.has(name);
  for (const node of graph.nodes) {
    const inputs = [...node.inputs, ...capturedNames(node)];
    if (!inputs.some((name) => moving.has(name))) continue;
    for (const output of node.outputs) if (output !== '') moving.add(output);
    for (const input of inputs) if (isFrozenActivation(input)) boundary.add(input);
  }
  for (const { name } of graph.outputs) if (isFrozenActivation(name)) boundary.add(name);
  const order = new Map(
    [...graph.inputs.map((input) => input.name), ...graph.nodes.flatMap((node) => node.outputs)].map((name, i) => [
      name,
      i,
    ]),
  );
  const needed = new Set(boundary);
  const nodes: Node[] = [];
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((output) => needed.has(output))) continue;
    nodes.push(node);
    for (const input of [...node.inputs, ...capturedNames(node)]) needed.add(input);
  }
  return {
    boundary: [...boundary].toSorted((a, b) => order.get(a)! - order.get(b)!),
    nodes: nodes.toReversed(),
  };
}
