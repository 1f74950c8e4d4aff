import { z } from 'zod';
import { InputError } from '../core/errors.ts';
import { parsePreprocessing, preprocessingSchema, type Preprocessing } from './preprocessing.ts';

/** Which form of a trained classifier a file holds. */
export const VARIANTS = ['float32', 'float16', 'int8', 'bare'] as const;
export type Variant = (typeof VARIANTS)[number];

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

const descriptionSchema = z.object({
  /** Version of this list of keys. */
  format: z.literal(1),
  variant: z.enum(VARIANTS),
  /** Names of the classes, in the order of the probabilities. */
  classes: z.array(z.string()).min(1).readonly(),
  /** What the logits are divided by before the softmax. */
  temperature: z.number().positive(),
  /** The least probability at which the likeliest class is to be believed; absent where none was found. */
  abstainThreshold: z.number().min(0).max(1).optional(),
  /** The outlier score above which an image looks like none of the classes; absent where none was found. */
  outlierThreshold: z.number().optional(),
  preprocessing: preprocessingSchema,
  /** Where the model comes from: seed, versions, fingerprint of the data. No time, path or run id. */
  provenance: z.json(),
});

/**
 * What a deployed model says of itself: `model.json` beside it, and in its metadata each key as
 * `gleaner.<key>`, in JSON.
 */
export interface ModelDescription extends Omit<z.output<typeof descriptionSchema>, 'provenance'> {
  readonly provenance: Readonly<Record<string, Json>>;
}

const PREFIX = 'gleaner.';

/** The metadata of an ONNX file, the same for the same description. */
export function toMetadata(description: ModelDescription): Map<string, string> {
  return new Map(entriesOf(description).map(([key, value]) => [PREFIX + key, JSON.stringify(value)]));
}

/** The metadata of a feature extractor: how images are prepared for it, and where it comes from. */
export function toFeatureMetadata(
  preprocessing: Preprocessing,
  provenance: ModelDescription['provenance'],
): Map<string, string> {
  const entries = { preprocessing, provenance: sorted(provenance) };
  return new Map(Object.entries(entries).map(([key, value]) => [PREFIX + key, JSON.stringify(value)]));
}

/**
 * How images are prepared for a network, by the metadata of its file; undefined where that says nothing.
 * @throws InputError where the value makes no sense
 */
export function preprocessingOfMetadata(
  metadata: ReadonlyMap<string, string>,
  source: string,
): Preprocessing | undefined {
  const text = metadata.get(`${PREFIX}preprocessing`);
  return text === undefined ? undefined : parsePreprocessing(parsedJson(text, 'preprocessing', source), source);
}

/** The content of `model.json`. */
export function toModelJson(description: ModelDescription): string {
  return `${JSON.stringify(Object.fromEntries(entriesOf(description)), undefined, 2)}\n`;
}

/**
 * What the metadata of an ONNX file says, or undefined where it is not one of Gleaner's.
 * @param source names the file in messages
 * @throws InputError where a key is missing or its value makes no sense
 */
export function fromMetadata(metadata: ReadonlyMap<string, string>, source: string): ModelDescription | undefined {
  if (!metadata.has(`${PREFIX}format`)) return undefined;
  const values: Record<string, unknown> = {};
  for (const [key, text] of metadata) {
    if (!key.startsWith(PREFIX)) continue;
    const name = key.slice(PREFIX.length);
    values[name] = parsedJson(text, name, source);
  }
  const parsed = descriptionSchema.safeParse(values);
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => `${PREFIX}${issue.path.join('.')}: ${issue.message}`);
    throw new InputError(`The metadata of ${source} is not valid: ${faults.join('; ')}.`);
  }
  return parsed.data as ModelDescription;
}

function parsedJson(text: string, key: string, source: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new InputError(`The metadata "${PREFIX}${key}" of ${source} is not JSON: ${text.slice(0, 60)}`);
  }
}

/** In one order, without what is absent, provenance sorted by key. */
function entriesOf(description: ModelDescription): [string, unknown][] {
  const { format, variant, classes, temperature, abstainThreshold, outlierThreshold, preprocessing, provenance } =
    description;
  const { inputSize, resize, cropFraction, interpolation, mean, std, channels, layout } = preprocessing;
  const all: Record<string, unknown> = {
    format,
    variant,
    classes,
    temperature,
    abstainThreshold,
    outlierThreshold,
    preprocessing: { inputSize, resize, cropFraction, interpolation, mean, std, channels, layout },
    provenance: sorted(provenance),
  };
  return Object.entries(all).filter(([, value]) => value !== undefined);
}

function sorted(value: Json): Json {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value as Record<string, Json>);
  return Object.fromEntries(
    entries.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([key, inner]) => [key, sorted(inner)]),
  );
}
