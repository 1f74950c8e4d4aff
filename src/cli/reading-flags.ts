import type { Command } from 'commander';
import { choice, integer, number } from './command.ts';

/** How a data set is read: flags of every command that reads one. */
export interface ReadingFlags {
  readonly dataLayout?: string;
  readonly labelsList?: string;
  readonly labelsPerClass?: number;
  readonly group?: string;
  readonly followLinks?: boolean;
  /** In millions. */
  readonly maxPixels?: number;
}

export function readingFlags(command: Command): Command {
  return command
    .addOption(choice('--data-layout <name>', 'how to read the folder', ['auto', 'classes', 'splits']))
    .option('--labels-list <file>', 'names of the images that keep their label, one a line')
    .option('--labels-per-class <k>', 'labels kept a class, drawn by the seed', integer(1))
    .option(
      '--group <column|regex>',
      'what is never split (a patient, a product): a column, or a pattern on the path whose first group names it',
    )
    .option('--follow-links', 'follow symbolic links out of the data folder')
    .option('--max-pixels <megapixels>', 'largest image that is decoded', number(0.0001));
}

/** The same in the words of the library. */
export function readingOptions<F extends ReadingFlags>({
  dataLayout,
  maxPixels,
  ...rest
}: F): Omit<F, 'dataLayout' | 'maxPixels'> & {
  readonly layout?: 'auto' | 'classes' | 'splits';
  readonly maxPixels?: number;
} {
  return {
    ...rest,
    ...(dataLayout !== undefined && { layout: dataLayout as 'auto' | 'classes' | 'splits' }),
    ...(maxPixels !== undefined && { maxPixels: maxPixels * 1e6 }),
  };
}
