import { GraphBuilder } from '../onnx/builder.ts';
import { describeNode, GRADIENT_DOMAIN, type Graph, type Node, type ValueInfo } from '../onnx/graph.ts';
import type { Tensor } from '../core/tensor.ts';
import { Emitter } from './emitter.ts';
import { Forms } from './forms.ts';
import type { LowerOptions, Target } from './lower.ts';
import type { Lowering, LoweringCandidate, LoweringTable, Site } from './lowering.ts';
import { plainLowerings } from './plain/table.ts';
import { renamed } from './rename.ts';
import { plainWeightLayout, type WeightLayout } from './weight-layout.ts';

/** One walk over a graph: every node is replaced, laid out or copied. */
export class Lowerer {
  readonly #graph: Graph;
  readonly #target: Target;
  readonly #options: LowerOptions;
  readonly #builder: GraphBuilder;
  readonly #forms: Forms;
  readonly #layouts = new Map<string, WeightLayout>();

  constructor(graph: Graph, target: Target, options: LowerOptions) {
    this.#graph = graph;
    this.#target = target;
    this.#options = options;
    this.#builder = new GraphBuilder(graph.name);
    this.#forms = new Forms(this.#builder, target.kind === 'blocked' ? target.block : 1);
  }

  lower(): { graph: Graph; layouts: Map<string, WeightLayout> } {
    const graph = this.#graph;
    for (const parameter of this.#options.parameters ?? [])
      this.#layouts.set(parameter, plainWeightLayout(this.#shape(parameter, 'A parameter to be laid out')));
    for (const { name, type } of graph.inputs) {
      this.#builder.input(name, type.dtype, this.#layouts.get(name)?.packedShape ?? type.shape ?? []);
      this.#declarePlain(name);
    }
    for (const [name, value] of graph.initializers) {
      this.#builder.initializer(name, this.#layouts.get(name)?.pack(value) ?? value);
      this.#declarePlain(name);
    }
    for (const node of graph.nodes) this.#lowerNode(node);
    return { graph: this.#finish(), layouts: this.#layouts };
  }

  #lowerNode(node: Node): void {
    if (node.domain === GRADIENT_DOMAIN) this.#lowerAbstract(node);
    else this.#copy(node);
  }

  #lowerAbstract(node: Node): void {
    const table: LoweringTable = plainLowerings;
    const site = this.#site(node);
    const applicable = (table[node.opType] ?? []).filter((lowering) => lowering.applies(site));
    if (applicable.length === 0) throw new RangeError(`${describeNode(node)} has no lowering for its attributes.`);
    const lowering = applicable[this.#choose(applicable, site)]!;
    const inputs = node.inputs.map((input) => (input === '' ? '' : this.#forms.get(input, 'plain')));
    const outputs = lowering.emit(new Emitter(this.#builder, node.name), inputs, site);
    for (const [i, output] of node.outputs.entries()) if (output !== '') this.#declarePlain(output, outputs[i]!);
  }

  #choose(lowerings: readonly Lowering[], site: Site): number {
    if (lowerings.length === 1 || this.#target.choose === undefined) return 0;
    const candidates = lowerings.map((lowering): LoweringCandidate => ({
      name: lowering.name,
      graph: () => standaloneGraph(lowering, site),
    }));
    const chosen = this.#target.choose(candidates, siteKey(site));
    if (lowerings[chosen] === undefined)
      throw new RangeError(`A choice among ${lowerings.length} lowerings must be an index, got ${chosen}.`);
    return chosen;
  }

  #copy(node: Node): void {
    const inputs = node.inputs.map((input) => (input === '' ? '' : this.#forms.get(input, 'plain')));
    // A name may be taken by a node that a lowering made.
    const outputs = node.outputs.map((output) => (output === '' ? '' : this.#builder.uniqueName(output)));
    this.#builder.addNode({ ...node, inputs, outputs });
    for (const [i, output] of node.outputs.entries()) if (output !== '') this.#declarePlain(output, outputs[i]!);
  }

  #finish(): Graph {
    const parameterOf = new Map<string, string>();
    for (const parameter of this.#layouts.keys())
      parameterOf.set(this.#options.gradients?.get(parameter) ?? `${parameter}_grad`, parameter);
    const names = new Map<string, string>();
    const outputs: ValueInfo[] = [];
    for (const { name, type } of this.#graph.outputs) {
      const layout = this.#layouts.get(parameterOf.get(name) ?? '');
      let made = this.#forms.get(name, layout?.name ?? 'plain', true);
      const isSource = this.#graph.initializers.has(made) || this.#graph.inputs.some((input) => input.name === made);
      if (made !== name && (isSource || names.has(made)))
        made = this.#builder.op('Identity', [made], {}, { name: `${name}/Identity` });
      if (made !== name) names.set(made, name);
      outputs.push({ name, type: { dtype: type.dtype, shape: layout?.packedShape ?? type.shape } });
    }
    const graph = this.#builder.build();
    // A name that an output needs may be held by another value.
    for (const name of new Set(names.values()))
      if (this.#builder.has(name) && !names.has(name)) names.set(name, this.#builder.uniqueName(name));
    return { ...renamed(graph, names), outputs };
  }

  #declarePlain(value: string, name: string = value): void {
    const shape = this.#graph.types.get(value)?.shape ?? this.#graph.initializers.get(value)?.shape;
    const known = shape?.every((side) => typeof side === 'number') ? (shape as number[]) : [];
    this.#forms.declare(value, known, { name, layout: 'plain', clean: true });
  }

  #shape(value: string, what: string): readonly number[] {
    const shape = this.#graph.initializers.get(value)?.shape ?? this.#graph.types.get(value)?.shape;
    if (shape === undefined || shape.some((side) => typeof side !== 'number'))
      throw new RangeError(
        `${what} needs a shape that is known before the run: "${value}" has ${shape === undefined ? 'none' : `[${shape}]`}.`,
      );
    return shape as number[];
  }

  #site(node: Node): Site {
    const shapeOf = (name: string): readonly number[] => (name === '' ? [] : this.#shape(name, describeNode(node)));
    return {
      node,
      shapes: node.inputs.map(shapeOf),
      outputShapes: node.outputs.map(shapeOf),
      dtypes: node.inputs.map((name) => this.#graph.types.get(name)?.dtype ?? 'float32'),
      constant: (index): Tensor | undefined => this.#graph.initializers.get(node.inputs[index] ?? ''),
    };
  }
}

/** A graph of one lowering alone, to be timed. */
function standaloneGraph(lowering: Lowering, site: Site): Graph {
  const builder = new GraphBuilder(lowering.name);
  const inputs = site.node.inputs.map((input, i) =>
    input === '' ? '' : builder.input(`input${i}`, site.dtypes[i]!, site.shapes[i]!),
  );
  const made = lowering.emit(new Emitter(builder, site.node.opType), inputs, site);
  const outputs = made.map((name, i): ValueInfo => ({
    name,
    type: { dtype: 'float32', shape: site.outputShapes[i]! },
  }));
  return { ...builder.build(), outputs };
}

/** Equal for nodes that do the same work. */
function siteKey(site: Site): string {
  const attributes = Object.entries(site.node.attributes)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { value }]) => `${name}=${JSON.stringify(value)}`);
  return `${site.node.opType} ${site.shapes.map((shape) => `[${shape}]`).join(' ')} ${attributes.join(' ')}`;
}
