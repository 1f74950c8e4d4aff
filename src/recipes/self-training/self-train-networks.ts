import { checkPolicyClasses, checkPolicySize } from '../../augment/check-policy.ts';
import { residualAdditions } from '../../models/residual-additions.ts';
import { networksOfRounds, roundNetwork, type RoundNetwork } from './growth.ts';
import { methodOf } from '../method.ts';
import { openNetwork } from '../networks/open-network.ts';
import type { OpenedNetwork } from '../networks/opened-network.ts';
import type { TrainingData } from '../prepare-data.ts';
import type { ResolvedSelfTrainOptions } from './self-train-options.ts';
import type { TrainControl } from '../train-control.ts';
import type { ResolvedTrainOptions } from '../train-options.ts';
import { studentPlan } from './student.ts';
import { describeNoise } from '../training/training-noise.ts';

/** Noise of students where nothing is said: small, for trainings that are short. */
const DROPOUT = 0.2;
const STOCHASTIC_DEPTH = 0.1;

/** A network that is trained in rounds. */
export interface RoundsNetwork {
  readonly opened: OpenedNetwork;
  /** Of the student's training, with its noise. */
  readonly options: ResolvedTrainOptions;
}

export interface SelfTrainNetworks {
  /** Of the first teacher; not trained where the teacher is a file and another student is named. */
  readonly base: OpenedNetwork;
  /** Of the student of each round. */
  readonly rounds: readonly RoundsNetwork[];
  readonly final: RoundsNetwork | undefined;
}

/**
 * Opens all networks that will be trained, before anything is.
 * @throws InputError for a network that is not there, noise that there is no place for, and a policy that does not fit
 */
export async function openSelfTrainNetworks(
  options: ResolvedSelfTrainOptions,
  data: TrainingData,
  control: TrainControl,
): Promise<SelfTrainNetworks> {
  const { train, grow, student, final, rounds } = options;
  const known = new Map<string, Promise<RoundsNetwork>>();
  const open = (spec: RoundNetwork): Promise<RoundsNetwork> => {
    const key = JSON.stringify(spec);
    const found = known.get(key) ?? openStudent(options, withNetwork(train, spec), data, control);
    known.set(key, found);
    return found;
  };
  const own: RoundNetwork = {};
  const specs =
    grow !== undefined
      ? networksOfRounds(grow, rounds)
      : Array.from({ length: rounds }, () => (student === undefined ? own : roundNetwork(student, '--student')));
  const opened: RoundsNetwork[] = [];
  for (const spec of specs) opened.push(await open(spec));
  const last = final === undefined ? undefined : await open(roundNetwork(final, '--final'));
  const isAnother = grow !== undefined || student !== undefined;
  const base =
    isAnother && options.teacher.length === 0
      ? await openNetwork(train, methodOf(train), data, control)
      : opened[0]!.opened;
  return { base, rounds: opened, final: last };
}

function withNetwork(train: ResolvedTrainOptions, spec: RoundNetwork): ResolvedTrainOptions {
  if (spec.model === undefined && spec.backbone === undefined) return train;
  const { model: _model, backbone: _backbone, inputSize: _inputSize, ...rest } = train;
  return { ...rest, ...spec };
}

async function openStudent(
  job: ResolvedSelfTrainOptions,
  train: ResolvedTrainOptions,
  data: TrainingData,
  control: TrainControl,
): Promise<RoundsNetwork> {
  const opened = await openNetwork(train, methodOf(train), data, control);
  const { stochasticDepth } = job;
  const untrained = opened.untrained();
  const options = {
    ...train,
    dropout: train.dropout ?? DROPOUT,
    stochasticDepth: stochasticDepth ?? (residualAdditions(untrained.graph).length > 0 ? STOCHASTIC_DEPTH : 0),
  };
  const pool = { labelled: data.train.length, unlabelled: data.unlabeled.length };
  const { augment } = studentPlan(job, options, pool).plan;
  const [height, width] = opened.preprocessing.inputSize;
  checkPolicyClasses(augment, data.classes);
  checkPolicySize(augment, { width, height });
  const noise = describeNoise(untrained, options);
  const message = `Noise of the student ${opened.source.name}: ${augment.text}, dropout ${options.dropout}. ${noise ?? 'No stochastic depth.'}`;
  control.onProgress?.({ type: 'note', message });
  return { opened, options };
}
