import { csvRow } from '../../core/csv.ts';
import type { SuggestResult } from './suggest.ts';

/** Suggestions as CSV with an empty column `label` to be filled in; `train --continue RUN --labels FILE` reads it. */
export function suggestionRows(suggestions: SuggestResult['suggestions']): string {
  const rows = suggestions.map(({ file, likely, probability, reason }) =>
    csvRow([file, '', likely, probability.toFixed(4), reason]),
  );
  return [csvRow(['path', 'label', 'likely', 'probability', 'reason']), ...rows, ''].join('\n');
}
