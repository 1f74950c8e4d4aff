import { sizeOf, tensor, type Tensor } from '../core/tensor.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import type { Graph } from '../onnx/graph.ts';

/**
 * Small tensors of state lie one after the other in few flat ones: the optimizer's kernels on them are few, and so
 * are the tensors that go in and out of the engine. A large tensor is a large kernel as it is, and copying it costs
 * more than a kernel's start.
 */

/** Elements above which a tensor is left alone. */
const SMALL = 2 ** 14;

export interface Member {
  readonly name: string;
  /** As it lies in the graph. */
  readonly shape: readonly number[];
  /** Of its first element. */
  readonly offset: number;
}

/** A tensor of state as graphs take it: one member as it is, or several in one row. */
export interface Buffer {
  readonly name: string;
  readonly shape: readonly number[];
  readonly members: readonly Member[];
}

export interface Placed {
  readonly name: string;
  readonly shape: readonly number[];
  /** Only tensors of one key lie together. */
  readonly key: string;
}

/**
 * Buffers for tensors, in the order of their first members.
 * @param prefix of the names of those that hold several
 */
export function flatBuffers(tensors: readonly Placed[], prefix: string): Buffer[] {
  const together = new Map<string, Placed[]>();
  for (const placed of tensors) {
    const key = sizeOf(placed.shape) > SMALL ? `alone/${placed.name}` : `together/${placed.key}`;
    together.set(key, [...(together.get(key) ?? []), placed]);
  }
  return [...together.values()].map((list, i) => {
    let size = 0;
    const members = list.map(({ name, shape }): Member => {
      const offset = size;
      size += sizeOf(shape);
      return { name, shape, offset };
    });
    const [only] = members;
    return members.length === 1
      ? { name: only!.name, shape: only!.shape, members }
      : { name: `${prefix}/${i}`, shape: [size], members };
  });
}

/** The graph with buffers for inputs, in place of their members. */
export function withBufferInputs(graph: Graph, buffers: readonly Buffer[]): Graph {
  const several = buffers.filter(({ members }) => members.length > 1);
  const replaced = new Set(several.flatMap(({ members }) => members.map(({ name }) => name)));
  const b = new GraphBuilder(graph.name);
  b.reserve([...graph.types.keys(), ...graph.initializers.keys(), ...graph.nodes.map(({ name }) => name)]);
  for (const { name, type } of graph.inputs) if (!replaced.has(name)) b.input(name, type.dtype, type.shape);
  for (const { name, shape, members } of several) {
    b.input(name, 'float32', shape);
    const isRow = (member: Member): boolean => member.shape.length === 1;
    const rows = members.map((member) => (isRow(member) ? member.name : b.uniqueName(`${member.name}/row`)));
    b.ops('Split', [name, b.int(members.map((member) => sizeOf(member.shape)))], { axis: 0 }, { outputs: rows });
    for (const [i, member] of members.entries())
      if (!isRow(member)) b.op('Reshape', [rows[i]!, b.int(member.shape)], {}, { outputs: [member.name] });
  }
  const start = b.build();
  return {
    ...graph,
    inputs: start.inputs,
    nodes: [...start.nodes, ...graph.nodes],
    initializers: new Map([...graph.initializers, ...start.initializers]),
    types: new Map([...graph.types, ...start.types]),
  };
}

/** Values of the members, by name, as one value of the buffer's shape. */
export function joinMembers(b: GraphBuilder, { members }: Buffer, values: ReadonlyMap<string, string>): string {
  const parts = members.map(({ name }) => values.get(name)!);
  if (parts.length === 1) return parts[0]!;
  const rows = parts.map((part, i) => (members[i]!.shape.length === 1 ? part : b.op('Reshape', [part, b.int([-1])])));
  return b.op('Concat', rows, { axis: 0 });
}

/** A buffer's content from its members'. */
export function packMembers({ shape, members }: Buffer, values: ReadonlyMap<string, Tensor>): Tensor {
  if (members.length === 1) return values.get(members[0]!.name)!;
  const data = new Float32Array(sizeOf(shape));
  for (const { name, offset } of members) data.set(values.get(name)!.data as Float32Array, offset);
  return tensor('float32', shape, data);
}

/** The members' content, views of the buffer's. */
export function unpackMembers({ members }: Buffer, value: Tensor): Map<string, Tensor> {
  const data = value.data as Float32Array;
  return new Map(
    members.map(({ name, shape, offset }) => [
      name,
      tensor('float32', shape, data.subarray(offset, offset + sizeOf(shape))),
    ]),
  );
}
