import { writeFileAtomic } from '../../core/atomic-file.ts';
import { timed } from '../../core/profile.ts';
import { abstainThreshold } from '../../evaluate/abstain.ts';
import { fitTemperature } from '../../evaluate/temperature.ts';
import type { VariantMeasurement } from '../../export/measure.ts';
import { evaluatePredictions } from '../../evaluate/evaluation.ts';
import { outlierScores, outlierThreshold } from '../../evaluate/outliers.ts';
import type { OutlierParts } from '../../export/deployable.ts';
import type { RunFolder } from '../../train/run-folder.ts';
import type { Workshop } from '../workshop/workshop.ts';
import type { HeldOutPredictions } from './held-out-predictions.ts';
import { consistencyMethodOf } from '../method.ts';
import type { FinishRequest } from './finish-request.ts';
import { answersOf, embedding, embeddingName, outlierScorerOf } from './outlier-scoring.ts';
import { writeRunReport } from './run-report.ts';
import { writeModel } from './write-model.ts';

export interface RunResult {
  /** Folder of the run. */
  readonly run: string;
  /** The deployable ONNX file. */
  readonly model: string;
  readonly report: string;
  readonly accuracy: number;
  /** 95 %, Wilson. */
  readonly interval: readonly [low: number, high: number];
  /** Images it was scored on. */
  readonly n: number;
  readonly scoredOn: string;
  readonly seconds: number;
  /** The forms of the model that were written, float32 first: size, latency, and accuracy on the images of the score. */
  readonly forms: readonly VariantMeasurement[];
}

/** Calibrates, scores once, exports and reports: what turns trained weights into a run's result. */
export async function finishRun(run: RunFolder, workshop: Workshop, request: FinishRequest): Promise<RunResult> {
  const { calibration, data, options, started } = request;
  const temperature = calibration === undefined ? 1 : fitTemperature(calibration).temperature;
  const abstain = calibration && abstainThreshold(calibration, options.abstainPrecision, temperature);
  if (calibration === undefined)
    workshop.onProgress?.({
      type: 'warning',
      message:
        `${((options.folds ?? 0) === 0 && consistencyMethodOf(options) !== undefined) || options.folds === 0 ? 'Without folds there is nothing' : 'There are too few labelled images'} to calibrate probabilities by: ` +
        'the temperature stays 1, and there is no abstain threshold.',
    });

  const { network } = request;
  // Without a labelled image, nothing says what the classes look like.
  const outliers: OutlierParts | undefined =
    data.train.length === 0
      ? undefined
      : {
          scorer: await timed(workshop.track, 'outliers', () =>
            outlierScorerOf(embedding(workshop, network), data, options.seed),
          ),
          embedding: embeddingName(network),
          threshold: calibration?.outliers && outlierThreshold(calibration.outliers),
        };
  // The protocol cross-validates only what can be dealt into folds.
  const predictions = data.crossValidated ? calibration! : await scorePredictions(run, workshop, request, outliers);
  const evaluation = evaluatePredictions(predictions, { temperature });
  const decided = { temperature, abstain, ...(outliers && { outliers }) };
  const { parity, measured } = await writeModel(run, workshop, request, decided, data.score);

  const seconds = (performance.now() - started) / 1000;
  const metrics = {
    scoredOn: data.scoredOn,
    ...evaluation,
    parity,
    abstain: abstain ?? null,
    outliers: outliers?.threshold === undefined ? null : setAside(predictions, outliers.threshold),
    calibratedOn: calibration?.foundOn ?? null,
    ...request.taughtBy?.agreement,
    ...(request.estimate && { estimate: request.estimate }),
  };
  await writeFileAtomic(run.file('metrics.json'), `${JSON.stringify(metrics, undefined, 2)}\n`);
  const report = { ...request, evaluation, abstain, seconds, measured };
  await timed(workshop.track, 'report', () => writeRunReport(run, workshop, report));
  return {
    run: run.path,
    model: run.file('model.onnx'),
    report: run.file('report.html'),
    accuracy: evaluation.accuracy,
    interval: evaluation.interval,
    n: evaluation.n,
    scoredOn: data.scoredOn,
    seconds,
    forms: measured,
  };
}

/** Of images kept for the score; that they were looked at is recorded. */
async function scorePredictions(
  run: RunFolder,
  workshop: Workshop,
  { network, data }: FinishRequest,
  outliers: OutlierParts | undefined,
): Promise<HeldOutPredictions> {
  const { score, scoredOn: foundOn, classes } = data;
  run.append({ type: 'test-opened', reason: 'final score', scoredOn: foundOn, images: score.length });
  const { logits, embedded } = await answersOf(workshop, network, score, 'predict');
  const [labels, ids] = [score.map(({ label }) => label), score.map(({ id }) => id)];
  const scores = outliers && outlierScores(outliers.scorer, embedded);
  return { classes, logits, labels, ids, foundOn, ...(scores && { outliers: scores }) };
}

/** What share of the images scored on, all of known classes, would be set aside. */
function setAside({ outliers }: HeldOutPredictions, threshold: number): { threshold: number; setAside: number } {
  const above = outliers!.filter((score) => score > threshold).length;
  return { threshold, setAside: above / outliers!.length };
}
