import type { RunResult, TrainResult } from '../index.ts';
import { percent, type Output } from './output.ts';

/** What a finished run came to. */
export function showRunResult(result: RunResult & Partial<TrainResult>, output: Output): void {
  output.text('');
  output.text(
    `Accuracy ${percent(result.accuracy)} (95 % interval ${percent(result.interval[0])} to ${percent(result.interval[1])}) ` +
      `on ${result.n} images of ${result.scoredOn}.`,
  );
  const { stages = [], estimate } = result;
  const others = stages.filter(({ accuracy }, i) => accuracy !== undefined && i < stages.length - 1);
  for (const { stage, isKept, accuracy } of others)
    output.text(`Of its stages, ${stage} alone: ${percent(accuracy!)}${isKept ? '' : ' (not kept)'}.`);
  if (estimate !== undefined)
    output.text(
      `Estimated from the labelled images alone: ${percent(estimate.accuracy)} (${percent(estimate.interval[0])} to ${percent(estimate.interval[1])}).`,
    );
  output.text(`Model:   ${result.model}`);
  output.text(`Report:  ${result.report}`);
  output.text(`Try:     npx gleaner predict ${shellWord(result.model)} IMAGE...`);
  output.jsonLine({ type: 'result', ...result });
}

function shellWord(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
