import { InputError } from '../index.ts';

/**
 * What a training is asked for by: data, in a flag or in a config file, or a run to go on with.
 * @param usage shown where there is neither: `gleaner train DATA`
 * @throws InputError for neither, and for both
 */
export function checkDataOrResume(
  data: string | undefined,
  { resume, config }: { readonly resume?: string; readonly config?: string },
  usage: string,
): void {
  if (resume !== undefined && data !== undefined)
    throw new InputError('--resume stands alone: the data folder comes from the config.json of the run.');
  if (resume === undefined && data === undefined && config === undefined)
    throw new InputError(`Which data? Give a folder or a manifest: ${usage}.`);
}
