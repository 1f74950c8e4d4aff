import type { StepBatch } from './training-step.ts';

export interface TrainingBatch extends StepBatch {
  /** Of the samples, for messages. */
  readonly ids: readonly string[];
}

/** Where batches come from. The batch of an epoch and a step is always the same, whatever was asked for before. */
export interface BatchSource {
  readonly stepsPerEpoch: number;
  /**
   * @param epoch counted from 1
   * @param from steps of the epoch to leave out
   */
  epoch(epoch: number, from: number, signal?: AbortSignal): AsyncIterable<TrainingBatch>;
  /** Begins with the first batches of what will be asked for next, in the same words; changes nothing about them. */
  prepare?(epoch: number, from: number, signal?: AbortSignal): void;
}
