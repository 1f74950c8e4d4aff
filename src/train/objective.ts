import type { Tensor } from '../core/tensor.ts';
import type { GraphBuilder } from '../onnx/builder.ts';

/** Values of a pass that an objective is made of. N samples, of which each has `rows` rows of images. */
export interface ObjectiveValues {
  /** [N rows, K], less the rows that `averaged` alone sees. */
  readonly logits: string;
  /** int64 [N] or float32 [N, K] */
  readonly labels: string;
  /** float32 [N], where the step was compiled for them. */
  readonly sampleWeights?: string;
  /** Scalar: 1 over the divisor of the whole step (`Objective.divisor`). */
  readonly scale: string;
  /** With `Objective.averaged`: what the average of the weights says, [N averaged.rows, K], or [N rows, K]. */
  readonly averaged?: string;
  /** By `Objective.outputs`: further outputs of the network, [N rows, ...]. */
  readonly outputs: ReadonlyMap<string, string>;
  /** By `Objective.targets`: float32 [N, ...shape]. */
  readonly targets: ReadonlyMap<string, string>;
  /** By `Objective.state`. */
  readonly state: ReadonlyMap<string, string>;
}

export interface ObjectiveGraph {
  /** Scalar: this pass' share of the step's loss. */
  readonly loss: string;
  /** Values that no gradient passes: what the network itself says, taken as a label. */
  readonly constants?: readonly string[];
  /** The next value of every state. */
  readonly state?: ReadonlyMap<string, string>;
  /** With `Objective.averaged`: [1], how far the average moves towards the weights, 0..1. */
  readonly averageRate?: string;
  /** Scalars to be told beside the loss; of several passes their mean. */
  readonly metrics?: ReadonlyMap<string, string>;
}

/** What a step minimises, and all that it needs for it. Made from plain data by `objectiveOf`. */
export interface Objective {
  /** Rows of images that a sample has in a batch, one after the other. */
  readonly rows: number;
  /**
   * Rows of each sample, from the one of this number on, that the moving average of the weights sees in place of the
   * network, or `all`, which the network sees as well; without dropout. It starts at the weights, is state, and in step t holds the weights before the steps up to
   * t - 1.
   */
  readonly averaged?: 'all' | { readonly from: number; readonly rows: number };
  /** Outputs of the network that are read beside its logits. */
  readonly outputs: readonly string[];
  /** What a batch brings beside labels, float32: name and shape of one sample's. */
  readonly targets: ReadonlyMap<string, readonly number[]>;
  /** What goes on from step to step, as running statistics do (thresholds, estimated priors): name and first value, float32 of rank 1 or more. */
  readonly state: ReadonlyMap<string, Tensor>;
  /**
   * What the sum of a whole step's losses is divided by.
   * @throws RangeError for labels that the graph would take for no class at all
   */
  divisor(labels: Tensor, classes: number, sampleWeights: Tensor | undefined): number;
  add(b: GraphBuilder, values: ObjectiveValues): ObjectiveGraph;
}

const STATE = 'objective/';

/** Under which a state lies among running statistics: in the step's graph and in checkpoints. */
export function stateName(name: string): string {
  return `${STATE}${name}`;
}

/** Whether a value belongs to training alone, and is no part of the network. */
export function isObjectiveState(name: string): boolean {
  return name.startsWith(STATE);
}
