import { InputError } from '../core/errors.ts';
import { readConfig } from '../train/run-folder.ts';
import { toldAgain, type PlanOptions } from './plan/plan-options.ts';
import { refuseSelfTraining } from './self-training/self-train-options.ts';
import { train, type TrainResult } from './train-classifier.ts';
import type { TrainControl } from './train-control.ts';
import { resolveTrainOptions, type ResolvedTrainOptions, type TrainOptions } from './train-options.ts';

export type ContinueOptions = Omit<TrainOptions, 'data' | 'labelFiles'> & {
  /** Files with labels of images that have none, beside those that the run had. */
  readonly labelFiles: readonly string[];
};

/**
 * Options of a run that was trained on labels.
 * @throws InputError where there is no run, or it is none of `train`
 */
export async function optionsOfRun(run: string, instead: string): Promise<ResolvedTrainOptions> {
  const config = await readConfig(run);
  refuseSelfTraining(config, run, instead);
  if (config['teaching'] !== undefined || config['options'] === undefined)
    throw new InputError(`${run} is no run of "gleaner train": ${instead}.`);
  return resolveTrainOptions(config['options'], `config.json of ${run}`);
}

/**
 * Trains as a finished run did, with its labels and further ones, into a new folder: same options, cached features; a plan plans
 * anew.
 * Weights start where the run's started, and not where they ended: what folds are judged on must not have
 * been learnt from before, and a network that goes on from converged weights ends worse (Ash and Adams 2020, arXiv:1910.08475).
 * @param options take the place of the run's
 * @throws InputError where there is no such run, and for labels as `addLabels`; AbortedError, RunError as `train`
 * @example
 * const { accuracy } = await continueTraining('runs/001', { labelFiles: ['suggested.csv'] });
 */
export async function continueTraining(
  run: string,
  { labelFiles, ...options }: ContinueOptions,
  control: TrainControl = {},
): Promise<TrainResult> {
  if (labelFiles.length === 0)
    throw new InputError('Continue with which labels? Give a file of them: --labels NEW.csv.');
  const trained = await optionsOfRun(run, 'go on with "gleaner train"');
  const config = await readConfig(run);
  const { out: _, ...before } = config['plan'] === undefined ? trained : toldAgain(config);
  const continued = { ...before, ...options, labelFiles: [...trained.labelFiles, ...labelFiles] };
  return train(continued as TrainOptions | PlanOptions, control);
}
