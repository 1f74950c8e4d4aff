import { ModelError } from '../core/errors.ts';
import { numberToFloat16, tensor, type Tensor } from '../core/tensor.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { dataTypeCode } from '../onnx/data-types.ts';
import { describeNode, int, type Graph, type Node } from '../onnx/graph.ts';
import { foldBatchNorm } from './fold-batch-norm.ts';

export interface Float16Options {
  /**
   * `float32`: weights are stored in half the space and widened when the file is loaded, so that every
   * engine runs it at its usual speed. `float16`: the network computes in float16 too, for devices that are
   * faster at it; an engine without such kernels widens and narrows around every operator.
   */
  readonly compute: 'float32' | 'float16';
}

/** The largest number of float16: what is beyond becomes this, since masks and limits must stay finite. */
const LARGEST = 65504;
/** Smaller tensors are not worth a node. */
const FEWEST_ELEMENTS = 16;
/** Inputs that are of a type of their own, by operator: scales and regions. */
const ALWAYS_FLOAT32: Readonly<Record<string, readonly number[]>> = { Resize: [1, 2] };

/**
 * A network with weights in float16; its inputs and outputs stay float32.
 * @throws ModelError for control flow (If, Loop, Scan) where it is to compute in float16
 */
export function toFloat16(graph: Graph, options: Float16Options): Graph {
  const folded = foldBatchNorm(graph);
  return options.compute === 'float32' ? withStoredHalves(folded) : inHalves(folded);
}

function withStoredHalves(graph: Graph): Graph {
  const b = new GraphBuilder(graph.name);
  for (const { name, type } of graph.inputs) b.input(name, type.dtype, type.shape ?? []);
  const cast = { to: dataTypeCode('float32') };
  for (const [name, value] of graph.initializers)
    if (value.dtype !== 'float32' || value.data.length < FEWEST_ELEMENTS) b.initializer(name, value);
    else b.op('Cast', [b.initializer(freeName(graph, `${name}/float16`), halved(value))], cast, { outputs: [name] });
  for (const node of graph.nodes) b.addNode(node);
  for (const { name } of graph.outputs) b.output(name);
  return b.build();
}

function inHalves(graph: Graph): Graph {
  const b = new GraphBuilder(graph.name);
  const names = new Map<string, string>([['', '']]);
  const renamed = (name: string): string => names.get(name) ?? name;
  for (const { name, type } of graph.inputs) {
    b.input(name, type.dtype, type.shape ?? []);
    if (type.dtype === 'float32')
      names.set(
        name,
        b.op('Cast', [name], { to: dataTypeCode('float16') }, { name: freeName(graph, `${name}/float16`) }),
      );
  }
  const wide = float32Inputs(graph);
  for (const [name, value] of graph.initializers)
    b.initializer(name, value.dtype === 'float32' && !wide.has(name) ? halved(value) : value);
  // The last steps are taken in float16 too; only what is returned is widened.
  const returned = new Set(graph.outputs.map((output) => output.name));
  for (const node of graph.nodes) {
    const outputs = node.outputs.map((name) => (returned.has(name) ? freeName(graph, `${name}/float16`) : name));
    for (const [i, name] of node.outputs.entries()) if (returned.has(name)) names.set(name, outputs[i]!);
    b.addNode({ ...node, inputs: node.inputs.map(renamed), outputs, attributes: halvedAttributes(node) });
  }
  for (const { name } of graph.outputs) {
    const value = renamed(name);
    const { dtype } = b.type(value);
    const cast = dtype === 'float16';
    b.output(
      b.op(cast ? 'Cast' : 'Identity', [value], cast ? { to: dataTypeCode('float32') } : {}, { outputs: [name] }),
    );
  }
  return b.build();
}

function halvedAttributes(node: Node): Node['attributes'] {
  const { to, value } = node.attributes;
  if (Object.values(node.attributes).some((attribute) => attribute.kind === 'graph'))
    throw new ModelError(
      `${describeNode(node)} has a body of its own, which can't be made to compute in float16; export with float16 weights instead.`,
    );
  if (node.opType === 'Cast' && to?.value === dataTypeCode('float32'))
    return { ...node.attributes, to: int(dataTypeCode('float16')) };
  if (value?.kind === 'tensor' && value.value.dtype === 'float32')
    return { ...node.attributes, value: { kind: 'tensor', value: halved(value.value) } };
  return node.attributes;
}

function float32Inputs(graph: Graph): Set<string> {
  const names = new Set<string>();
  for (const node of graph.nodes)
    for (const index of ALWAYS_FLOAT32[node.opType] ?? []) if (node.inputs[index]) names.add(node.inputs[index]);
  return names;
}

function halved(value: Tensor): Tensor {
  const bits = Uint16Array.from(value.data as Float32Array, (x) =>
    numberToFloat16(Math.max(-LARGEST, Math.min(LARGEST, x))),
  );
  return tensor('float16', value.shape, bits);
}

function freeName(graph: Graph, base: string): string {
  let name = base;
  for (let i = 1; graph.types.has(name) || graph.initializers.has(name); i++) name = `${base}_${i}`;
  return name;
}
