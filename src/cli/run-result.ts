import type { RunResult } from '../index.ts';
import { percent, type Output } from './output.ts';

/** What a finished run came to. */
export function showRunResult(result: RunResult, output: Output): void {
  output.text('');
  output.text(
    `Accuracy ${percent(result.accuracy)} (95 % interval ${percent(result.interval[0])} to ${percent(result.interval[1])}) ` +
      `on ${result.n} images of ${result.scoredOn}.`,
  );
  output.text(`Model:   ${result.model}`);
  output.text(`Report:  ${result.report}`);
  output.text(`Try:     npx gleaner predict ${shellWord(result.model)} IMAGE...`);
  output.jsonLine({ type: 'result', ...result });
}

function shellWord(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
