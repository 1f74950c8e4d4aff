import type { Tensor } from '../core/tensor.ts';
import type { Dim, Node, Shape, TensorType } from './graph.ts';

/** What a shape rule may look at. */
export interface InferContext {
  readonly node: Node;
  /** Types of the inputs; undefined where the input is absent or its type unknown. */
  readonly inputs: readonly (TensorType | undefined)[];
  /** The value of input `index` where it is known before the run (an initializer or a folded constant). */
  constant(index: number): Tensor | undefined;
  /** A new symbolic side, different from every other. */
  unknownDim(): Dim;
  /** The sides that an integer vector at input `index` holds, where it was computed from a shape: `['N', 3]`. */
  sides?(index: number): Shape | undefined;
}

/**
 * Types of a node's outputs, in order (undefined: could not be inferred).
 * Throws a TypeError or RangeError that says what the op expected and what came, without naming the
 * node: the caller does that.
 */
export type InferRule = (context: InferContext) => readonly (TensorType | undefined)[];
