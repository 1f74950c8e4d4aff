/**
 * Gleaner's public API: named exports only. Every command of the command line is one of these functions.
 */
export { AbortedError, FormatError, InputError, ModelError, RunError, didYouMean } from './core/errors.ts';
export type { OnProgress, Progress } from './core/progress.ts';
export { resumeTraining, train, type ResumeControl } from './recipes/train-classifier.ts';
export type { RunResult } from './recipes/finish-run.ts';
export type { TrainControl } from './recipes/train-control.ts';
export type { TrainOptions } from './recipes/train-options.ts';
