import type { Tensor } from '../core/tensor.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { describeNode, GRADIENT_DOMAIN, producers, type Graph, type Node, type ValueInfo } from '../onnx/graph.ts';
import type { Arrangement } from './blocked/arrangement.ts';
import type { BlockedLowering, BlockedSite, BlockedTable } from './blocked/blocked-lowering.ts';
import { elementwiseRule } from './blocked/elementwise-rule.ts';
import { wantedLayouts } from './blocked/preferences.ts';
import { reductionRule } from './blocked/reduction-rule.ts';
import { shapeRule } from './blocked/shape-rules.ts';
import { blockedLowerings } from './blocked/table.ts';
import { Emitter } from './emitter.ts';
import { Forms, type Form } from './forms.ts';
import { Layout, type LayoutName } from './layout.ts';
import type { LowerOptions, Target } from './target.ts';
import type { Choose, LoweringCandidate, LoweringTable, Site } from './lowering.ts';
import { plainLowerings } from './plain/table.ts';
import { renamed } from './rename.ts';
import { blockedWeightLayout, plainWeightLayout, type WeightLayout } from './weight-layout.ts';

/** One way to do a node, of whichever table. */
interface Way {
  readonly name: string;
  readonly layouts: readonly ('plain' | LayoutName)[];
  readonly clean: boolean;
  emit(e: Emitter, inputs: readonly string[]): readonly Form[];
}

/** One walk over a graph: every node is replaced, laid out or copied. */
export class Lowerer {
  readonly #graph: Graph;
  readonly #choose: Choose | undefined;
  /** 0 for the plain target. */
  readonly #block: number;
  readonly #options: LowerOptions;
  readonly #builder: GraphBuilder;
  readonly #forms: Forms;
  readonly #arrangement: Arrangement;
  readonly #layouts = new Map<string, WeightLayout>();

  constructor(graph: Graph, target: Target, options: LowerOptions) {
    this.#graph = graph;
    this.#choose = target.choose;
    this.#block = target.kind === 'blocked' ? target.block : 0;
    if (target.kind === 'blocked' && (!Number.isInteger(target.block) || target.block < 2))
      throw new RangeError(`The blocked target needs a block of at least 2 channels, got ${target.block}.`);
    this.#options = options;
    this.#builder = new GraphBuilder(graph.name);
    this.#forms = new Forms(this.#builder, this.#block);
    const makers = producers(graph);
    this.#arrangement = {
      builder: this.#builder,
      forms: this.#forms,
      block: this.#block,
      shapeOf: (value) => this.#knownShape(value),
      isFloat32: (value) => this.#dtype(value) === 'float32',
      constant: (value) => graph.initializers.get(value),
      producer: (value) => makers.get(value),
      declare: (value, form) => this.#forms.declare(value, this.#knownShape(value) ?? [], form),
    };
  }

  lower(): { graph: Graph; layouts: Map<string, WeightLayout> } {
    const graph = this.#graph;
    const wanted =
      this.#block === 0
        ? new Map<string, LayoutName>()
        : wantedLayouts(graph, this.#block, (value) => this.#knownShape(value));
    for (const parameter of this.#options.parameters ?? []) {
      const shape = this.#shape(parameter, 'A parameter to be laid out');
      const layout = wanted.get(parameter);
      this.#layouts.set(
        parameter,
        layout === undefined ? plainWeightLayout(shape) : blockedWeightLayout(new Layout(layout, this.#block), shape),
      );
    }
    for (const { name, type } of graph.inputs) {
      this.#builder.input(name, type.dtype, this.#layouts.get(name)?.packedShape ?? type.shape ?? []);
      this.#declareSource(name);
    }
    for (const [name, value] of graph.initializers) {
      this.#builder.initializer(name, this.#layouts.get(name)?.pack(value) ?? value);
      this.#declareSource(name);
    }
    for (const node of graph.nodes) this.#lowerNode(node);
    return { graph: this.#finish(), layouts: this.#layouts };
  }

  #lowerNode(node: Node): void {
    const ways = this.#ways(node);
    if (ways.length > 0) {
      this.#emit(node, ways);
      return;
    }
    if (this.#block > 0 && [elementwiseRule, reductionRule, shapeRule].some((rule) => rule(node, this.#arrangement)))
      return;
    if (node.domain === GRADIENT_DOMAIN) this.#emit(node, this.#plainWays(node));
    else this.#copy(node);
  }

  /** Blocked ways to do `node`; none where it is left to the rules or the plain layout. */
  #ways(node: Node): Way[] {
    const table: BlockedTable = blockedLowerings;
    if (this.#block === 0 || (node.domain !== GRADIENT_DOMAIN && node.domain !== '') || !(node.opType in table))
      return [];
    if (![...node.inputs, ...node.outputs].every((value) => value === '' || this.#knownShape(value) !== undefined))
      return [];
    if (node.inputs.some((value) => value !== '' && this.#dtype(value) !== 'float32')) return [];
    const site: BlockedSite = {
      ...this.#site(node),
      block: this.#block,
      madeIn: (input) => this.#forms.blockedLayout(node.inputs[input]!),
    };
    const applicable = table[node.opType]!.filter((lowering) => lowering.applies(site));
    const suits = (lowering: BlockedLowering): number => (lowering.suits?.(site) ? 0 : 1);
    return applicable.toSorted((a, b) => suits(a) - suits(b)).map((lowering) => blockedWay(lowering, site));
  }

  #plainWays(node: Node): Way[] {
    const table: LoweringTable = plainLowerings;
    const site = this.#site(node);
    const ways = (table[node.opType] ?? [])
      .filter((lowering) => lowering.applies(site))
      .map((lowering): Way => ({
        name: lowering.name,
        layouts: node.inputs.map(() => 'plain'),
        clean: false,
        emit: (e, inputs) => lowering.emit(e, inputs, site).map((name) => ({ name, layout: 'plain', clean: true })),
      }));
    if (ways.length === 0) throw new RangeError(`${describeNode(node)} has no lowering for its attributes.`);
    return ways;
  }

  #emit(node: Node, ways: readonly Way[]): void {
    const way = ways[this.#pick(ways, node)]!;
    const inputs = node.inputs.map((input, i) =>
      input === '' ? '' : this.#forms.get(input, way.layouts[i]!, way.clean),
    );
    const made = way.emit(new Emitter(this.#builder, node.name), inputs);
    for (const [i, output] of node.outputs.entries()) if (output !== '') this.#arrangement.declare(output, made[i]!);
  }

  #pick(ways: readonly Way[], node: Node): number {
    if (ways.length === 1 || this.#choose === undefined) return 0;
    const site = this.#site(node);
    const candidates = ways.map((way): LoweringCandidate => ({
      name: way.name,
      graph: () => this.#standalone(way, site),
    }));
    const chosen = this.#choose(candidates, siteKey(site, this.#block));
    if (ways[chosen] === undefined)
      throw new RangeError(`A choice among ${ways.length} lowerings must be an index, got ${chosen}.`);
    return chosen;
  }

  /** A graph of one way alone, to be timed. */
  #standalone(way: Way, site: Site): Graph {
    const builder = new GraphBuilder(way.name);
    const stored = (shape: readonly number[], layout: 'plain' | LayoutName): readonly number[] =>
      layout === 'plain' ? shape : new Layout(layout, this.#block).storedShape(shape);
    const inputs = site.node.inputs.map((input, i) =>
      input === '' ? '' : builder.input(`input${i}`, site.dtypes[i]!, stored(site.shapes[i]!, way.layouts[i]!)),
    );
    const made = way.emit(new Emitter(builder, site.node.opType), inputs);
    const outputs = made.map(({ name, layout }, i): ValueInfo => ({
      name,
      type: { dtype: 'float32', shape: stored(site.outputShapes[i]!, layout) },
    }));
    return { ...builder.build(), outputs };
  }

  #copy(node: Node): void {
    const inputs = node.inputs.map((input) => (input === '' ? '' : this.#forms.get(input, 'plain')));
    // A name may be taken by a node that a lowering made.
    const outputs = node.outputs.map((output) => (output === '' ? '' : this.#builder.uniqueName(output)));
    this.#builder.addNode({ ...node, inputs, outputs });
    for (const [i, output] of node.outputs.entries())
      if (output !== '') this.#arrangement.declare(output, { name: outputs[i]!, layout: 'plain', clean: true });
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

  /** An input or initializer, in the layout it was given. */
  #declareSource(value: string): void {
    this.#arrangement.declare(value, { name: value, layout: this.#layouts.get(value)?.name ?? 'plain', clean: true });
  }

  #knownShape(value: string): readonly number[] | undefined {
    const shape = this.#graph.initializers.get(value)?.shape ?? this.#graph.types.get(value)?.shape;
    return shape?.every((side) => typeof side === 'number') ? (shape as number[]) : undefined;
  }

  #dtype(value: string): Tensor['dtype'] | undefined {
    return this.#graph.initializers.get(value)?.dtype ?? this.#graph.types.get(value)?.dtype;
  }

  #shape(value: string, what: string): readonly number[] {
    const shape = this.#knownShape(value);
    if (shape !== undefined) return shape;
    const given = this.#graph.types.get(value)?.shape;
    throw new RangeError(
      `${what} needs a shape that is known before the run: "${value}" has ${given === undefined ? 'none' : `[${given}]`}.`,
    );
  }

  #site(node: Node): Site {
    const shapeOf = (name: string): readonly number[] => (name === '' ? [] : this.#shape(name, describeNode(node)));
    return {
      node,
      shapes: node.inputs.map(shapeOf),
      outputShapes: node.outputs.map(shapeOf),
      dtypes: node.inputs.map((name) => this.#dtype(name) ?? 'float32'),
      constant: (index) => this.#graph.initializers.get(node.inputs[index] ?? ''),
    };
  }
}

function blockedWay(lowering: BlockedLowering, site: BlockedSite): Way {
  const { layouts, clean } = lowering.wants(site);
  return { name: lowering.name, layouts, clean: clean ?? false, emit: (e, inputs) => lowering.emit(e, inputs, site) };
}

/** Equal for nodes that do the same work. */
function siteKey(site: Site, block: number): string {
  const attributes = Object.entries(site.node.attributes)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { value }]) => `${name}=${JSON.stringify(value)}`);
  const shapes = site.shapes.map((shape) => `[${shape}]`).join(' ');
  return `${site.node.opType}${block > 0 ? `/${block}` : ''} ${shapes} ${attributes.join(' ')}`;
}
