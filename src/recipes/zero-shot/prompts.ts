import { InputError } from '../../core/errors.ts';

/** Radford et al. 2021 (arXiv:2103.00020), section 3.1.4. */
export const DEFAULT_TEMPLATE = 'a photo of a {}.';

/** Where the name of a class goes. */
const PLACE = '{}';

/**
 * What is said of classes, by each template; underscores in names are spaces.
 * @returns templates by class: `prompts[class][template]`
 * @throws InputError for a template without a place for the name
 */
export function promptsOf(classes: readonly string[], templates: readonly string[]): string[][] {
  const without = templates.find((template) => !template.includes(PLACE));
  if (without !== undefined)
    throw new InputError(`The template "${without}" has no place for the name of a class: write it as "${PLACE}".`);
  return classes.map((name) => templates.map((template) => template.replaceAll(PLACE, name.replaceAll('_', ' '))));
}
