import type { DataType, Tensor } from '../core/tensor.ts';
import type { Graph, Node } from '../onnx/graph.ts';
import type { Emitter } from './emitter.ts';

/** One node to be lowered, with all that a lowering may look at. */
export interface Site {
  readonly node: Node;
  /** Shapes of the node's inputs in the source graph; `[]` for a scalar and for an absent input. */
  readonly shapes: readonly (readonly number[])[];
  readonly dtypes: readonly DataType[];
  /** Shapes of the node's outputs in the source graph. */
  readonly outputShapes: readonly (readonly number[])[];
  /** The value of an input that is known before the run. */
  constant(index: number): Tensor | undefined;
}

/** One way to compute an abstract op. Adding one is an entry in a table and a row in its test. */
export interface Lowering {
  readonly name: string;
  applies(site: Site): boolean;
  /** Emits the nodes and returns the names of the op's outputs. */
  emit(emitter: Emitter, inputs: readonly string[], site: Site): readonly string[];
}

/** Ways to lower each op type, best guess first. */
export type LoweringTable = Readonly<Record<string, readonly Lowering[]>>;

/** A lowering that could serve, with a graph of its own to be timed. */
export interface LoweringCandidate {
  readonly name: string;
  /** A graph of nothing but this lowering; its inputs are `input0`, `input1`, ... */
  graph(): Graph;
}

/**
 * Picks one of several candidates: the index into `candidates`. `key` names op, attributes and shapes:
 * equal keys may be answered from a cache.
 */
export type Choose = (candidates: readonly LoweringCandidate[], key: string) => number;

export const always = (): boolean => true;
