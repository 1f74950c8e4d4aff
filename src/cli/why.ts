import type { Command } from 'commander';
import { writeFileAtomic } from '../core/atomic-file.ts';
import { why, whyPage } from '../index.ts';
import { defineCommand, type CommonOptions } from './command.ts';

type WhyFlags = CommonOptions & { html?: string };

export function whyCommand(): Command {
  return defineCommand<WhyFlags>(
    'why <run> <file>',
    'Says why a run gave an image its label: who, how sure, which images are like it, and what became of it',
    ['why runs/003 unlabeled/17.jpg', 'why runs/003 17.jpg --html why.html'],
    (command) => command.option('--html <file>', 'a page with the image and those most like it'),
    async ([run, file], { html }, { output, signal }) => {
      const found = await why(run!, file!, { signal });
      if (html !== undefined) await writeFileAtomic(html, await whyPage(found));
      for (const sentence of found.sentences) output.text(sentence);
      if (html !== undefined) output.note(`Written: ${html}`);
      output.jsonLine({ type: 'result', ...found, ...(html !== undefined && { html }) });
    },
  );
}
