import { z } from 'zod';
import { parseOptions } from '../parse-options.ts';

const schema = z.strictObject({
  /** Images to suggest. */
  count: z.int().min(1).default(50),
  seed: z.int().min(0).default(0),
  device: z.string().default('auto'),
  threads: z.int().min(1).optional(),
});

export type SuggestOptions = z.input<typeof schema>;
export type ResolvedSuggestOptions = z.output<typeof schema>;

/** @throws InputError naming every unknown or bad option */
export function resolveSuggestOptions(options: unknown): ResolvedSuggestOptions {
  return parseOptions(schema, options, 'options of suggest');
}
