import type { Command } from 'commander';
import { writeFileAtomic } from '../core/atomic-file.ts';
import { checkLabels, labelPage, labelRows, type CheckLabelsOptions } from '../index.ts';
import { choice, defineCommand, integer, type CommonOptions } from './command.ts';
import { percent, table } from './output.ts';
import { readingFlags } from './reading-flags.ts';
import { preprocessingFlags } from './training-flags.ts';

type Flags = CommonOptions & Omit<CheckLabelsOptions, 'data'> & { html?: string; csv?: string };

/** Rows of the table for a person; files hold all. */
const SHOWN = 20;

export function labelsCommand(): Command {
  return defineCommand<Flags>(
    'labels <data>',
    'Finds labels that are probably wrong, and says which class the image probably is',
    ['data labels photos --backbone mobilenet_v2.onnx --html suspects.html', 'data labels digits --csv labels.csv'],
    (command) => {
      preprocessingFlags(readingFlags(command))
        .option(
          '--backbone <file|url|hf:owner/repo>',
          'pretrained network whose features judge; without one a small one is trained',
        )
        .option('--model <name>', 'built-in network to train where there is no backbone')
        .option('--epochs <n>', 'of training from scratch', integer(1))
        .option('--folds <k>', 'folds, each judged by a model of the others (default: 5)', integer(2))
        .addOption(choice('--split <name>', 'which labels are judged (default: train)', ['train', 'all']))
        .option('--html <file>', 'a page with the pictures of suspected labels')
        .option('--csv <file>', 'all labels, the least believed first');
    },
    async ([data], { json: _json, quiet: _quiet, html, csv, ...given }, { output, signal }) => {
      const check = await checkLabels({ ...given, data: data! }, { signal, onProgress: output.progress });
      const { labels, ...result } = check;
      if (html !== undefined) await writeFileAtomic(html, await labelPage(check));
      if (csv !== undefined) await writeFileAtomic(csv, labelRows(check));
      const issues = labels.filter(({ suspected }) => suspected);
      output.text(
        `${check.suspected} of ${check.images} labels are suspected; about ${percent(check.noise)} of all are estimated to be wrong.`,
      );
      if (issues.length > 0)
        output.text(
          `\n${table(
            ['file', 'label', 'believed', 'probably', 'believed'],
            issues
              .slice(0, SHOWN)
              .map((one) => [one.file, one.label, percent(one.believed), one.probable, percent(one.probability)]),
          )}`,
        );
      if (issues.length > SHOWN) output.text(`and ${issues.length - SHOWN} more; --csv and --html show all.`);
      output.jsonLine({ ...result, issues });
    },
  );
}
