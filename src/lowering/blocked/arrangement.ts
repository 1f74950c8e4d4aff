import type { Tensor } from '../../core/tensor.ts';
import type { GraphBuilder } from '../../onnx/builder.ts';
import type { Node } from '../../onnx/graph.ts';
import type { Form, Forms } from '../forms.ts';

/** What the rules that follow tensors through a blocked graph may look at and change. */
export interface Arrangement {
  readonly builder: GraphBuilder;
  readonly forms: Forms;
  readonly block: number;
  /** The shape of a value of the source graph where it is known before the run. */
  shapeOf(value: string): readonly number[] | undefined;
  isFloat32(value: string): boolean;
  constant(value: string): Tensor | undefined;
  /** The node of the source graph that makes a value. */
  producer(value: string): Node | undefined;
  /** Says how an output of the source graph was made. */
  declare(value: string, form: Form): void;
}

/** Emits `node` on blocked tensors and declares its outputs, or returns false and does nothing. */
export type ArrangementRule = (node: Node, a: Arrangement) => boolean;
