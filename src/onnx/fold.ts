import type { DataType, Tensor } from '../core/tensor.ts';
import { fromValues } from './evaluate/kernel.ts';
import { kernelOf } from './evaluate/index.ts';
import { renameInNode } from './compose.ts';
import { isFloating } from './data-types.ts';
import { pruned, type Graph, type Node, type Shape, type TensorType } from './graph.ts';
import { chosenBranch } from './branches.ts';
import { withoutIdleCeil } from './idle-ceil.ts';
import { passedThrough } from './pass-through.ts';
import { outputTypes, TypeInference } from './type-inference.ts';

export interface FoldOptions {
  /**
   * Initializers that stay as they are, because they will be trained or replaced: nothing computed
   * from them is folded. Default: those of a floating type and rank 1 or more.
   */
  readonly keep?: ReadonlySet<string>;
  /** The most elements a folded value may have; default 1,048,576. */
  readonly maxElements?: number;
}

/**
 * Computes what is known before the run: the chains of Shape, Gather, Concat, ... with which exporters
 * compute sizes and pads. Identity, Dropout at inference and other nodes that hand their input on as
 * it is are left out, an `If` on a known condition is replaced by the branch taken. Inputs, outputs,
 * and the values that stay keep their names.
 */
export function foldConstants(graph: Graph, options: FoldOptions = {}): Graph {
  return new Folder(graph, options).run();
}

function defaultKeep(graph: Graph): Set<string> {
  const kept = [...graph.initializers].filter(([, { dtype, shape }]) => isFloating(dtype) && shape.length > 0);
  return new Set(kept.map(([name]) => name));
}

class Folder {
  readonly #graph: Graph;
  readonly #keep: ReadonlySet<string>;
  readonly #maxElements: number;
  readonly #inference: TypeInference;
  readonly #outputs: ReadonlySet<string>;
  readonly #initializers: Map<string, Tensor>;
  readonly #nodes: Node[] = [];
  /** Values left out, and the value that stands for each. */
  readonly #aliases = new Map<string, string>();
  /** Values that took the name of a graph output which only handed them on. */
  readonly #renamed = new Map<string, string>();
  readonly #made = new Set<string>();
  readonly #taken: Set<string>;

  constructor(graph: Graph, options: FoldOptions) {
    this.#graph = graph;
    this.#keep = options.keep ?? defaultKeep(graph);
    this.#maxElements = options.maxElements ?? 2 ** 20;
    this.#inference = new TypeInference(graph);
    this.#outputs = new Set(graph.outputs.map(({ name }) => name));
    this.#initializers = new Map(graph.initializers);
    this.#taken = new Set([
      ...graph.inputs.map(({ name }) => name),
      ...graph.initializers.keys(),
      ...graph.nodes.flatMap((node) => [node.name, ...node.outputs]),
    ]);
  }

  run(): Graph {
    for (const node of this.#graph.nodes) this.#fold(node);
    const folded: Graph = {
      ...this.#graph,
      nodes: this.#nodes.map((node) => this.#finalNames(node)),
      initializers: this.#initializers,
      outputs: outputTypes(this.#graph, this.#inference.types),
      types: this.#inference.types,
    };
    return withOwnTypes(pruned(folded));
  }

  #fold(original: Node): void {
    const node = this.#withAliases(original);
    const branch = chosenBranch(node, this.#inference.constants, this.#taken);
    if (branch !== undefined) {
      for (const [name, value] of branch.initializers) {
        this.#initializers.set(name, value);
        this.#inference.addConstant(name, value);
      }
      for (const inner of branch.nodes) this.#fold(inner);
      return;
    }
    const types = this.#inference.visit(node);
    const values = this.#known(node, types);
    if (values !== undefined) {
      for (const [i, value] of values.entries()) this.#addConstant(node.outputs[i]!, value);
      return;
    }
    const source = passedThrough(node, this.#inference);
    if (source !== undefined && this.#leaveOut(node, source)) return;
    this.#nodes.push(withoutIdleCeil(node, this.#inference.types.get(node.inputs[0] ?? '')?.shape));
    for (const output of node.outputs) this.#made.add(output);
  }

  #withAliases(node: Node): Node {
    if (this.#aliases.size === 0) return node;
    return renameInNode(node, (name) => this.#aliases.get(name) ?? name);
  }

  #addConstant(name: string, value: Tensor): void {
    if (name === '') return;
    this.#initializers.set(name, value);
    this.#inference.addConstant(name, value);
  }

  /** The node's outputs where they can be computed now. */
  #known(node: Node, types: readonly (TensorType | undefined)[]): readonly Tensor[] | undefined {
    if (node.inputs.some((name) => this.#keep.has(name))) return undefined;
    const sides = this.#inference.sidesOf(node.outputs[0]!);
    const type = types[0];
    // The sides of a shape may be known although the tensor they are read from is not.
    if (
      sides !== undefined &&
      isKnown(sides) &&
      type !== undefined &&
      PLAIN.has(type.dtype) &&
      isKnown(type.shape ?? [''])
    )
      return [fromValues(type.dtype, type.shape as number[], sides)];
    const kernel = kernelOf(node);
    if (kernel === undefined || !types.every((item) => item !== undefined && isKnown(item.shape ?? [''])))
      return undefined;
    const outputs = types.slice(0, node.outputs.length) as TensorType[];
    const largest = Math.max(...outputs.map(({ shape }) => (shape as number[]).reduce((a, b) => a * b, 1)));
    if (largest > this.#maxElements) return undefined;
    const inputs = node.inputs.map((name) => this.#inference.constants.get(name));
    if (node.inputs.some((name, i) => name !== '' && inputs[i] === undefined)) return undefined;
    return kernel({ node, inputs, outputs });
  }

  /** Lets `source` stand for the node's output, unless both names must go on to exist. */
  #leaveOut(node: Node, source: string): boolean {
    const [output] = node.outputs as [string];
    if (!this.#outputs.has(output)) {
      this.#aliases.set(output, source);
      return true;
    }
    const current = this.#renamed.get(source) ?? source;
    if (!this.#made.has(source) || this.#outputs.has(current)) return false;
    this.#renamed.set(source, output);
    this.#aliases.set(output, source);
    return true;
  }

  #finalNames(node: Node): Node {
    if (this.#renamed.size === 0) return node;
    const rename = (name: string): string => this.#renamed.get(name) ?? name;
    const renamed = renameInNode(node, rename);
    return { ...renamed, outputs: renamed.outputs.map(rename) };
  }
}

/** Types whose arrays hold plain numbers. */
const PLAIN: ReadonlySet<DataType> = new Set(['int32', 'int64', 'float32', 'float64']);

function isKnown(shape: Shape): shape is readonly number[] {
  return shape.every((side) => typeof side === 'number');
}

/** Types of the values that are left. */
function withOwnTypes(graph: Graph): Graph {
  const names = new Set([
    ...graph.inputs.map(({ name }) => name),
    ...graph.initializers.keys(),
    ...graph.nodes.flatMap((node) => node.outputs),
  ]);
  return { ...graph, types: new Map([...graph.types].filter(([name]) => names.has(name))) };
}
