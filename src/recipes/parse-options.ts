import type { z } from 'zod';
import { InputError, suggestion } from '../core/errors.ts';

/**
 * Options as a recipe understands them, with defaults filled in.
 * @param where for messages: `options of train`
 * @param more names of options that are known beside these, for "did you mean"
 * @throws InputError naming every unknown or bad option at once, with "did you mean"
 */
export function parseOptions<S extends z.ZodObject>(
  schema: S,
  options: unknown,
  where: string,
  more: readonly string[] = [],
): z.output<S> {
  const parsed = schema.safeParse(options);
  if (parsed.success) return parsed.data;
  const known = [...Object.keys(schema.shape), ...more];
  const lines = parsed.error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => {
          const path = [...issue.path, key].join('.');
          return `unknown option "${path}"${suggestion(path, known)}`;
        })
      : [`${issue.path.join('.') || 'options'}: ${issue.message}`],
  );
  throw new InputError(`In the ${where}: ${lines.join('; ')}.`);
}
