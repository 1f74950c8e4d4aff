import type { Command } from 'commander';
import { writeFileAtomic } from '../core/atomic-file.ts';
import { suggest, suggestionRows } from '../index.ts';
import { defineCommand, integer, type CommonOptions } from './command.ts';
import { percent, shellWord, table } from './output.ts';

type Flags = CommonOptions & { number?: number; out?: string };

/** Rows of the table for a person; the list holds all. */
const SHOWN = 10;

export function suggestCommand(): Command {
  return defineCommand<Flags>(
    'suggest <run>',
    'Says which unlabelled images to label next, why, and what that should bring',
    ['suggest runs/001 -n 50 --out to-label.csv', 'train --continue runs/001 --labels to-label.csv'],
    (command) => {
      command
        .option('-n, --number <n>', 'images to suggest (default: 50)', integer(1))
        .option('--out <file>', 'a list (CSV) with a column "label" to fill in');
    },
    async ([run], { json: _json, quiet: _quiet, number: count, out, ...given }, { output, signal }) => {
      const options = { ...given, ...(count !== undefined && { count }) };
      const result = await suggest(run!, options, { signal, onProgress: output.progress });
      const { suggestions, learningCurve: curve } = result;
      if (out !== undefined) await writeFileAtomic(out, suggestionRows(suggestions));
      output.text(
        table(
          ['image', 'likely', 'why'],
          suggestions
            .slice(0, SHOWN)
            .map(({ file, likely, probability, reason }) => [file, `${likely} (${percent(probability)})`, reason]),
        ),
      );
      if (suggestions.length > SHOWN) output.text(`and ${suggestions.length - SHOWN} more; --out writes all.`);
      output.text('');
      output.text(curve === null ? NO_CURVE : curve.words);
      if (out !== undefined)
        output.text(
          `\nFill in the column "label", then: npx gleaner train --continue ${shellWord(run!)} --labels ${shellWord(out)}`,
        );
      output.jsonLine({ ...result, ...(out !== undefined && { list: out }) });
    },
  );
}

const NO_CURVE =
  'What they should bring can not be told: it takes a backbone, and two labels of a class in every fifth of the labels.';
