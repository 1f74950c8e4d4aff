import type { OptimizerOptions } from '../optim/optimizer.ts';
import type { Parameter } from '../optim/transform.ts';
import type { GradientOptions } from './gradient-graph.ts';

export type StepParameter = Omit<Parameter, 'shape'>;

export interface StepOptions extends GradientOptions {
  /** The initializers to train. */
  readonly parameters: readonly StepParameter[];
  /** Passes a step, whose gradients are summed. Default 1. */
  readonly microBatches?: number;
  readonly optimizer: OptimizerOptions;
  /** Decay of averaged weights; default: none are kept. */
  readonly averageDecay?: number;
}
