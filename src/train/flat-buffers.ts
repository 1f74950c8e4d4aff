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
/** Parameters in a row, about a block of layers, whose gradients are joined at once: the first of them wait for the last. */
const WINDOW = 9;

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

/** A part of a buffer's gradient: members that follow each other. */
export interface GradientPiece extends Buffer {
  /** The buffer it is part of. */
  readonly of: string;
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
export function joinMembers(b: GraphBuilder, { name, members }: Buffer, values: ReadonlyMap<string, string>): string {
  if (name === members[0]!.name) return values.get(members[0]!.name)!;
  const rows = members.map((member) => b.op('Reshape', [values.get(member.name)!, b.int([-1])]));
  return rows.length === 1 ? rows[0]! : b.op('Concat', rows, { axis: 0 });
}

/**
 * The parts in which the gradients of buffers are made, in the order of the network: backward comes to the last one
 * first, and what it needed for a part is free once that is done.
 * @param order all members of the buffers, in the order of the network
 * @returns parts of each buffer, which are buffers themselves
 */
export function gradientPieces(buffers: readonly Buffer[], order: readonly string[]): GradientPiece[] {
  const place = new Map(order.map((name, i) => [name, i]));
  const pieces = buffers.flatMap((buffer): GradientPiece[] => {
    if (buffer.members.length === 1) return [{ ...buffer, of: buffer.name }];
    const windows = new Map<number, Member[]>();
    for (const member of buffer.members) {
      const window = Math.floor(place.get(member.name)! / WINDOW);
      windows.set(window, [...(windows.get(window) ?? []), member]);
    }
    return [...windows].map(([window, members]) => ({
      name: `${buffer.name}/${window}`,
      of: buffer.name,
      shape: [members.reduce((sum, { shape }) => sum + sizeOf(shape), 0)],
      members: members.map((member) => ({ ...member, offset: member.offset - members[0]!.offset })),
    }));
  });
  const lastPlace = ({ members }: Buffer): number => place.get(members.at(-1)!.name)!;
  return pieces.toSorted((a, b) => lastPlace(a) - lastPlace(b));
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
