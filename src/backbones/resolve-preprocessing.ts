import { InputError } from '../core/errors.ts';
import { parsePreprocessing, type Preprocessing, type PreprocessingInput } from '../models/preprocessing.ts';
import type { PreprocessingSource } from './preprocessing-source.ts';

type Key = keyof PreprocessingInput;

/** What has no default, and the flag that gives it. */
const REQUIRED = { inputSize: '--input-size', mean: '--mean', std: '--std' } as const;

/** What holds where nothing says otherwise; named as such in the description. */
const DEFAULTS = {
  resize: 'shorter-side',
  cropFraction: 1,
  interpolation: 'bicubic',
  channels: 'rgb',
  layout: 'nchw',
} as const;

export interface ResolvedPreprocessing {
  readonly preprocessing: Preprocessing;
  /** Where each value came from: `mean, std, channels: config.json; layout: the model's input`. */
  readonly source: string;
}

/**
 * Takes each value from the first source that has it.
 * @param sources the strongest first
 * @throws InputError naming every value that no source has (of input size, mean and deviation) and its flag.
 */
export function resolvePreprocessing(sources: readonly PreprocessingSource[], backbone: string): ResolvedPreprocessing {
  const values: Partial<Record<Key, unknown>> = {};
  const origins = new Map<string, Key[]>();
  const missing: (keyof typeof REQUIRED)[] = [];
  for (const key of [
    ...(Object.keys(REQUIRED) as (keyof typeof REQUIRED)[]),
    ...(Object.keys(DEFAULTS) as (keyof typeof DEFAULTS)[]),
  ]) {
    const source = sources.find((candidate) => candidate.values[key] !== undefined);
    if (source === undefined && key in REQUIRED) {
      missing.push(key as keyof typeof REQUIRED);
      continue;
    }
    values[key] = source === undefined ? DEFAULTS[key as keyof typeof DEFAULTS] : source.values[key];
    const origin = source?.origin ?? 'default, as nothing says otherwise';
    origins.set(origin, [...(origins.get(origin) ?? []), key]);
  }
  if (missing.length > 0)
    throw new InputError(
      `The preprocessing of ${backbone} is not known: it does not declare ${missing.join(', ')}, and it is no family that is known here. ` +
        `Give ${missing.map((key) => REQUIRED[key]).join(', ')} (mean and deviation per channel on 0 to 255, for instance --mean 123.675,116.28,103.53 --std 58.395,57.12,57.375 for ImageNet's).`,
    );
  const preprocessing = parsePreprocessing(values, backbone);
  const source = [...origins].map(([origin, keys]) => `${keys.join(', ')}: ${origin}`).join('; ');
  return { preprocessing, source };
}
