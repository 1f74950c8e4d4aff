// From a row of the table of ops to graphs of that op alone, one for each lowering that could serve.
import { bytesPerElement, sizeOf, tensor, zeros } from '../../dist/core/tensor.js';
import { lower } from '../../dist/lowering/lower.js';
import { GraphBuilder } from '../../dist/onnx/builder.js';
import { append, extract } from '../../dist/onnx/compose.js';
import { NCHWC_DOMAIN, producers } from '../../dist/onnx/graph.js';
import { withSmallOutputs } from '../../dist/runtime/measurement.js';

/**
 * Every way to compute a row's graph: { table: plain | blocked, name, graph, isDefault }. In the blocked table
 * activations lie in blocks when the op begins and stay so where it ends, as they do inside a step, and weights and
 * their gradients in the layout that the step keeps them in.
 */
export function variants(row, block) {
  const plain = waysOf('plain', (choose) => lower(row.graph, { kind: 'plain', choose }, weightsOf(row)).graph, row);
  const blocked = block < 2 ? [] : waysOf('blocked', (choose) => blockedGraph(row, block, choose), row);
  // What has no part in the layout comes out of both tables as the same graph.
  const differs = row.activations.length > 0 || blocked.some(({ graph }) => graph.nodes.some(isBlocked));
  return [...(differs ? blocked : []), ...plain].map((way, i) => ({ ...way, isDefault: i === 0 }));
}

const isBlocked = (node) => node.domain === NCHWC_DOMAIN;

/** The graph with the first candidate everywhere, then with each other candidate of each choice. */
function waysOf(table, make, row) {
  const asked = new Map();
  const graph = make((candidates, key) => {
    asked.set(
      key,
      candidates.map(({ name }) => name),
    );
    return 0;
  });
  const keep = (made) => {
    const part = table === 'plain' ? extract(made, row.outputs) : made;
    return row.kept ? part : withSmallOutputs(part);
  };
  const first = {
    table,
    name: [...asked.values()].map(([name]) => name).join('; ') || kernels(graph),
    graph: keep(graph),
  };
  const others = [...asked].flatMap(([key, names]) =>
    names.slice(1).map((name, i) => ({
      table,
      name,
      graph: keep(make((_, other) => (other === key ? i + 1 : 0))),
    })),
  );
  return [first, ...others];
}

/** Where there is but one way: the operators it is made of. */
function kernels(graph) {
  const types = [...new Set(graph.nodes.map(({ opType }) => opType))].filter((type) => type !== 'Reshape');
  return types.length > 4 ? `${types.slice(0, 4).join(', ')}, ...` : types.join(', ');
}

/** Behind an input: what leaves the tensor laid out in blocks. It is cut away after lowering. */
function blockedGraph(row, block, choose) {
  const b = new GraphBuilder(row.graph.name);
  const bound = {};
  for (const { name, type } of row.graph.inputs) {
    bound[name] = b.input(name, type.dtype, type.shape);
    if (!row.activations.includes(name)) continue;
    const channels = type.shape[1];
    const weight = b.initializer(`${name}/filters`, zeros('float32', [channels, 1, 1, 1]));
    bound[name] = b.op('Conv', [name, weight], { group: channels, kernel_shape: [1, 1] }, { name: `${name}/blocked` });
    // As an output it is not fused into what follows.
    b.output(bound[name], `mark/${name}`);
  }
  const made = append(b, row.graph, bound);
  for (const [name, value] of Object.entries(made)) b.output(value, name);
  const lowered = lower(b.build(), { kind: 'blocked', block, choose }, weightsOf(row)).graph;
  const makers = producers(lowered);
  const inBlocks = (name) => {
    const maker = makers.get(name);
    return maker?.opType === 'ReorderOutput' ? maker.inputs[0] : name;
  };
  const starts = row.activations.map((name) => inBlocks(`mark/${name}`));
  const graph = extract(lowered, row.outputs.map(inBlocks), starts);
  const stray = graph.inputs.find(({ name }) => row.activations.includes(name));
  if (stray !== undefined) throw new Error(`The input "${stray.name}" of ${row.op} ${row.pass} was not cut off.`);
  return graph;
}

function weightsOf({ weights }) {
  return { parameters: weights, gradients: new Map(weights.map((name) => [name, `${name}_grad`])) };
}

/** Bytes that must be read and written at least: all inputs and outputs of the mathematics, once, without padding. */
export function idealBytes({ graph, outputs, unread = [] }) {
  const made = new Map(graph.outputs.map((output) => [output.name, output]));
  const values = [
    ...graph.inputs.filter(({ name }) => !unread.includes(name)),
    ...outputs.map((name) => made.get(name)),
  ];
  return values.reduce((sum, { type }) => sum + bytesPerElement(type.dtype) * sizeOf(type.shape), 0);
}

/** Floats of -1 to 1 (zeros, denormals and infinities run at other speeds), indices all 0; squares where they must be positive. */
export function anyTensor({ name, type: { dtype, shape } }) {
  if (dtype !== 'float32') return zeros(dtype, shape);
  const positive = /variance|second|deviation/.test(name);
  const data = Float32Array.from({ length: sizeOf(shape) }, (_, i) => {
    const value = ((i * 2654435761) % 2017) / 1008 - 1;
    return positive ? Math.abs(value) + 0.1 : value;
  });
  return tensor(dtype, shape, data);
}
