import { writeFileAtomic } from '../../core/atomic-file.ts';
import { timed } from '../../core/profile.ts';
import type { RunFolder } from '../../train/run-folder.ts';
import type { TaughtData } from './arrange-unlabelled.ts';
import type { FinishRequest } from '../results/finish-request.ts';
import { writeRunReport } from '../results/run-report.ts';
import type { Workshop } from '../workshop/workshop.ts';
import { writeModel } from '../results/write-model.ts';

/** Exports and reports a network that no label can score: nothing is calibrated, and no accuracy is known. */
export async function finishUnscored(
  run: RunFolder,
  workshop: Workshop,
  request: FinishRequest & { readonly data: TaughtData },
): Promise<{ readonly run: string; readonly model: string; readonly report: string; readonly seconds: number }> {
  const { data, started, taughtBy } = request;
  const decided = { temperature: 1, abstain: undefined };
  const { parity, measured } = await writeModel(run, workshop, request, decided, data.compared);
  const seconds = (performance.now() - started) / 1000;
  const metrics = { scoredOn: null, accuracy: null, ...taughtBy?.agreement, parity, abstain: null, calibratedOn: null };
  await writeFileAtomic(run.file('metrics.json'), `${JSON.stringify(metrics, undefined, 2)}\n`);
  const report = { ...request, evaluation: undefined, abstain: undefined, seconds, measured };
  await timed(workshop.track, 'report', () => writeRunReport(run, workshop, report));
  return { run: run.path, model: run.file('model.onnx'), report: run.file('report.html'), seconds };
}
