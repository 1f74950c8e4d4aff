import { existsSync } from 'node:fs';
import { packageVersion } from '../../core/package-version.ts';
import type { Target } from '../../lowering/target.ts';
import { blockSize } from '../../runtime/block-size.ts';
import { Engine } from '../../runtime/engine.ts';
import { Tuning } from '../../runtime/tuning.ts';
import { compileStep } from '../../train/compile-step.ts';
import { EngineChoices } from '../../train/engine-choices.ts';
import { RunFolder } from '../../train/run-folder.ts';
import { unlabeledImages, type TrainingData } from '../prepare-data.ts';
import type { TrainControl } from '../train-control.ts';
import type { ResolvedTrainOptions } from '../train-options.ts';
import { planTraining } from '../training/training-plan.ts';
import { trainingSteps } from '../training/training-steps.ts';
import { consistencyMethodOf, methodOf } from '../method.ts';
import type { OpenedNetwork } from '../networks/opened-network.ts';

export interface ChoicesRequest {
  readonly options: ResolvedTrainOptions;
  readonly data: TrainingData;
  readonly control: TrainControl;
  /** Goes on although the engine differs from the recorded one. */
  readonly acceptEngine: boolean;
}

/**
 * How the engine computes; written before the first step, and checked when a run is taken up again. With `tune`, the
 * lowerings of shapes not met before are measured first.
 */
export async function engineChoices(
  run: RunFolder,
  engine: Engine,
  opened: OpenedNetwork,
  job: ChoicesRequest,
): Promise<EngineChoices> {
  const { options, data, control } = job;
  const method = methodOf(options);
  const file = run.file('engine.json');
  let tuning: Tuning | undefined;
  const block = await blockSize(engine);
  if (options.tune && method !== 'probe' && !existsSync(file)) {
    tuning = await Tuning.open(engine);
    const { choose } = tuning;
    // With a teacher, images without a label are trained on like any other.
    const beside = consistencyMethodOf(options) === undefined ? data.unlabeled.length : 0;
    const plan = planTraining(options, method, data.train.length + beside, unlabeledImages(data));
    const target: Target = block > 1 ? { kind: 'blocked', block, choose } : { kind: 'plain', choose };
    const { phases } = trainingSteps(opened.untrained(), plan, options, data.train, data.classes.length, target, {
      unlabeled: beside,
    });
    const onProgress = (done: number, total: number): void =>
      control.onProgress?.({ type: 'step', stage: 'tune', done, total, unit: 'shapes' });
    do for (const { step } of phases) compileStep(step);
    while ((await tuning.tune(engine, { onProgress, ...(control.signal && { signal: control.signal }) })) > 0);
  }
  return EngineChoices.open(engine, {
    file,
    gleaner: packageVersion(),
    accept: job.acceptEngine,
    ...(options.engine !== undefined && { reuse: options.engine }),
    ...(tuning && { tuning }),
  });
}
