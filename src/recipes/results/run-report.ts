import { writeFileAtomic } from '../../core/atomic-file.ts';
import { packageVersion } from '../../core/package-version.ts';
import { membersOf } from '../../datasets/groups.ts';
import type { AbstainThreshold } from '../../evaluate/abstain.ts';
import type { Evaluation } from '../../evaluate/evaluation.ts';
import { wilsonInterval } from '../../evaluate/interval.ts';
import type { VariantMeasurement } from '../../export/measure.ts';
import { decodeImage } from '../../images/decode.ts';
import { thumbnailUri } from '../../images/encode.ts';
import { summarize } from '../../onnx/inspect.ts';
import { specialize } from '../../onnx/specialize.ts';
import { renderModelCard } from '../../report/model-card.ts';
import { planFromEvents } from '../../report/plan-from-events.ts';
import { renderReport } from '../../report/report.ts';
import type { RunSummary } from '../../report/run-summary.ts';
import { roundsFromEvents } from '../../report/rounds-from-events.ts';
import { stagesFromEvents } from '../../report/stages-from-events.ts';
import { processor } from '../../runtime/processor.ts';
import { readEvents } from '../../train/events.ts';
import type { RunFolder } from '../../train/run-folder.ts';
import { exampleLabels } from '../evidence/example-labels.ts';
import type { FinishRequest } from './finish-request.ts';
import type { Workshop } from '../workshop/workshop.ts';

export interface ReportRequest extends FinishRequest {
  /** Absent where no image has a label to be scored by. */
  readonly evaluation: Evaluation | undefined;
  readonly abstain: AbstainThreshold | undefined;
  readonly seconds: number;
  readonly measured: readonly VariantMeasurement[];
}

/** Writes `report.html` and `model-card.md`. */
export async function writeRunReport(run: RunFolder, workshop: Workshop, request: ReportRequest): Promise<void> {
  const { evaluation, data, options } = request;
  const events = await readEvents(run.file('events.jsonl'));
  const { dataset } = data;
  const groups = membersOf(dataset.samples).size;
  const planned = planFromEvents(events);
  const parts = {
    train: data.train,
    validation: data.validation,
    ...(!data.crossValidated && { [data.scoredOn === 'test' ? 'test' : 'score']: data.score }),
  };
  const machineLabels = await exampleLabels(run.path, data.unlabeled);
  const summary: RunSummary = {
    name: run.path,
    state: 'finished',
    method: request.method,
    ...(events[0] && { startedAt: events[0].time }),
    seconds: request.seconds,
    warnings: dataset.warnings,
    ...(evaluation && { evaluation, scoredOn: data.scoredOn }),
    ...(request.taughtBy && { teacher: request.taughtBy }),
    ...(planned && { plan: { ...planned, ...(request.estimate && { estimate: request.estimate }) } }),
    testOpenings: events
      .filter(({ type }) => type === 'test-opened')
      .map(({ reason, time }) => ({ reason: String(reason), at: time })),
    abstain: {
      wantedPrecision: options.abstainPrecision,
      ...(request.abstain && { result: request.abstain }),
      ...(request.calibration && { foundOn: request.calibration.foundOn }),
    },
    pictures: evaluation ? await pictures(evaluation, data, options.maxPixels * 1e6) : {},
    data: {
      source: dataset.root,
      fingerprint: dataset.fingerprint,
      classes: dataset.classes.map((name, label) => ({
        name,
        counts: Object.fromEntries(
          Object.entries(parts)
            .filter(([, samples]) => samples.length > 0)
            .map(([part, samples]) => [part, samples.filter((sample) => sample.label === label).length]),
        ),
      })),
      unlabeled: data.unlabeledCount,
      quarantined: dataset.quarantined,
      conflicts: dataset.conflicts,
      duplicates: {
        groups: data.duplicates.copies.length,
        images: data.duplicates.copies.reduce((sum, group) => sum + group.length, 0),
        examples: data.duplicates.copies.slice(0, 5),
      },
      ...(groups > 0 && { groups }),
      leaks: { pairs: data.leaks.map(({ files }) => files), dropped: options.dropLeaks },
      ignored: dataset.ignored,
    },
    network: { ...request.source, ...networkFigures(request) },
    stages: stagesFromEvents(events),
    rounds: roundsFromEvents(events),
    ...(machineLabels && { machineLabels }),
    variants: request.measured.map((form) => ({
      name: form.variant,
      file: form.variant === 'float32' ? 'model.onnx' : `model.${form.variant}.onnx`,
      bytes: form.bytes,
      ...(form.accuracy !== undefined &&
        evaluation && {
          accuracy: form.accuracy,
          interval: wilsonInterval(Math.round(form.accuracy * evaluation.n), evaluation.n),
        }),
      millisecondsPerImage: form.millisecondsPerImage,
      ...noteOf(form, data.crossValidated),
    })),
    config: run.config,
    environment: {
      gleaner: packageVersion(),
      engine: `onnxruntime-node ${workshop.engine.version}`,
      device: workshop.engine.device,
      threads: workshop.engine.threads,
      node: process.version,
      platform: `${process.platform} ${process.arch}`,
      processor: processor().model,
    },
    commands: [
      { purpose: 'Classify images', command: 'npx gleaner predict model.onnx IMAGE...' },
      { purpose: 'Score it on other images', command: 'npx gleaner evaluate model.onnx DATA' },
    ],
  };
  await writeFileAtomic(run.file('report.html'), renderReport(summary));
  await writeFileAtomic(run.file('model-card.md'), renderModelCard(summary));
}

function noteOf({ slower }: VariantMeasurement, onTrainingImages: boolean): { note?: string } {
  const notes = [
    ...(onTrainingImages ? ['accuracy on the training images, to compare forms by'] : []),
    ...(slower ? ['slower than float32 on this machine'] : []),
  ];
  return notes.length === 0 ? {} : { note: notes.join('; ') };
}

/** Small pictures of the mistakes that are listed. */
async function pictures(
  evaluation: Evaluation,
  { score }: FinishRequest['data'],
  maxPixels: number,
): Promise<Record<string, string>> {
  const files = new Map(score.map(({ id, file }) => [id, file]));
  const found = await Promise.all(
    evaluation.mistakes.map(async ({ id }) => {
      const file = files.get(id);
      if (file === undefined) return undefined;
      const { width, height, data } = await decodeImage(file, { maxPixels });
      return [id, await thumbnailUri({ width, height, channels: 3, data })] as const;
    }),
  );
  return Object.fromEntries(found.filter((entry) => entry !== undefined));
}

function networkFigures({
  network,
}: FinishRequest): Pick<NonNullable<RunSummary['network']>, 'parameters' | 'multiplyAdds'> {
  const { inputSize, layout } = network.preprocessing;
  const shape = layout === 'nchw' ? [1, 3, ...inputSize] : [1, ...inputSize, 3];
  const { parameters, multiplyAdds } = summarize(specialize(network.graph, { inputs: { [network.input]: shape } }));
  return { parameters, ...(multiplyAdds !== undefined && { multiplyAdds }) };
}
