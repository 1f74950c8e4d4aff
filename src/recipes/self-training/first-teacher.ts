import { openNetwork } from '../open-network.ts';
import type { Network } from '../network.ts';
import type { LabelledSample } from '../prepare-data.ts';
import type { ResolvedSelfTrainOptions } from './self-train-options.ts';
import type { SelfTrainJob } from './self-train-job.ts';
import type { Stages } from '../stages.ts';
import { underName } from '../under-name.ts';
import type { Workshop } from '../workshop.ts';
import { workshopFor } from '../workshop-for.ts';

/** `probe` costs seconds, and what fine-tuning adds on a few images is little. */
export function firstTeacherMethod({
  firstTeacher,
  train,
}: ResolvedSelfTrainOptions): 'probe' | 'finetune' | 'scratch' {
  return firstTeacher ?? (train.backbone === undefined ? 'scratch' : 'probe');
}

/** A teacher that is trained by the usual method, from labels alone. @param name begins the names of its stages */
export async function firstTeacher(
  workshop: Workshop,
  stages: Stages,
  { options, data, control }: SelfTrainJob,
  labelled: readonly LabelledSample[],
  name: string,
): Promise<Network> {
  const method = firstTeacherMethod(options);
  // What is said of epochs and sizes is said of students.
  const {
    folds: _folds,
    epochs: _epochs,
    warmupEpochs: _warmup,
    trainSize: _size,
    finalEpochs: _final,
    ...train
  } = options.train;
  // Folds choose the strength of a probe's regularisation; what another training would choose by them costs more than it is worth here.
  const own = { ...train, method, blend: 1, ...(method !== 'probe' && { folds: 0 }) };
  const quiet = control.signal === undefined ? {} : { signal: control.signal };
  const opened = await openNetwork(own, method, { ...data, train: labelled, validation: [] }, quiet);
  const trained = await workshopFor(workshop, opened.preprocessing, own.maxPixels * 1e6, (at) =>
    opened.train(underName(at, name), stages.within(`${name}-`)),
  );
  return trained.network;
}
