import { z } from 'zod';
import { InputError } from '../core/errors.ts';
import type { PreprocessingInput } from '../models/preprocessing.ts';

/** Some values of a preprocessing, and where they were found. */
export interface PreprocessingSource {
  /** For a person: `config.json`, `--mean`. */
  readonly origin: string;
  readonly values: Partial<PreprocessingInput>;
}

const perChannel = z.array(z.number()).min(1).max(3);
const triple = (values: readonly number[], map: (x: number) => number): [number, number, number] =>
  [0, 1, 2].map((i) => map(values[i] ?? values[0]!)) as [number, number, number];

const timmConfig = z.looseObject({
  input_size: z.tuple([z.number(), z.number(), z.number()]),
  mean: perChannel,
  std: perChannel,
  interpolation: z.string().optional(),
  crop_pct: z.number().optional(),
  crop_mode: z.string().optional(),
});

/**
 * What timm's `config.json` says (its `pretrained_cfg`, or the same keys at the top in older files);
 * undefined where it is another kind of configuration.
 * @throws InputError for a geometry that is not supported.
 */
export function timmPreprocessing(config: unknown, origin: string): PreprocessingSource | undefined {
  const { pretrained_cfg: inner } = z
    .looseObject({ pretrained_cfg: z.unknown() })
    .catch({ pretrained_cfg: undefined })
    .parse(config);
  const parsed = timmConfig.safeParse(inner ?? config);
  if (!parsed.success) return undefined;
  const {
    input_size: size,
    mean,
    std,
    interpolation = 'bicubic',
    crop_pct: crop = 0.875,
    crop_mode: mode = 'center',
  } = parsed.data;
  if (mode !== 'center' && mode !== 'squash')
    throw new InputError(`${origin}: the crop mode "${mode}" is not supported (center and squash are).`);
  return {
    origin,
    values: {
      inputSize: [size[1], size[2]],
      mean: triple(mean, (x) => x * 255),
      std: triple(std, (x) => x * 255),
      interpolation: interpolationOf(interpolation, origin),
      resize: mode === 'center' ? 'shorter-side' : 'stretch',
      cropFraction: crop,
      channels: 'rgb',
    },
  };
}

const side = z.union([
  z.number(),
  z.looseObject({
    height: z.number().optional(),
    width: z.number().optional(),
    shortest_edge: z.number().optional(),
  }),
]);
const processorConfig = z
  .looseObject({
    image_processor_type: z.string().optional(),
    feature_extractor_type: z.string().optional(),
    do_normalize: z.boolean().default(true),
    do_rescale: z.boolean().default(true),
    do_resize: z.boolean().default(true),
    do_center_crop: z.boolean().optional(),
    rescale_factor: z.number().default(1 / 255),
    rescale_offset: z.boolean().default(false),
    image_mean: perChannel.optional(),
    image_std: perChannel.optional(),
    size: side.optional(),
    crop_size: side.optional(),
    crop_pct: z.number().optional(),
    resample: z.union([z.number(), z.string()]).optional(),
  })
  .refine((config) => 'image_mean' in config || 'do_normalize' in config || 'rescale_factor' in config);

/** Pillow's numbers, as in `resample`. */
const RESAMPLE = ['nearest', 'lanczos', 'bilinear', 'bicubic'];

/**
 * What the `preprocessor_config.json` of Hugging Face's transformers says; undefined where it is another
 * kind of file.
 * @throws InputError for a resampling that is not supported.
 */
export function processorPreprocessing(config: unknown, origin: string): PreprocessingSource | undefined {
  if (typeof config !== 'object' || config === null || !('do_normalize' in config || 'image_mean' in config))
    return undefined;
  const parsed = processorConfig.safeParse(config);
  if (!parsed.success) return undefined;
  const { do_rescale, do_normalize, rescale_factor, rescale_offset, image_mean, image_std, resample } = parsed.data;
  // The processor gives (f·x - o - m) / s, which is (x - (m + o) / f) / (s / f).
  const factor = do_rescale ? rescale_factor : 1;
  const offset = do_rescale && rescale_offset ? 1 : 0;
  const values: { -readonly [K in keyof PreprocessingInput]?: PreprocessingInput[K] } = { channels: 'rgb' };
  if (!do_normalize || (image_mean !== undefined && image_std !== undefined)) {
    values.mean = triple(do_normalize ? image_mean! : [0], (x) => (x + offset) / factor);
    values.std = triple(do_normalize ? image_std! : [1], (x) => x / factor);
  }
  if (resample !== undefined)
    values.interpolation = interpolationOf(
      typeof resample === 'number' ? (RESAMPLE[resample] ?? String(resample)) : resample,
      origin,
    );
  return { origin, values: { ...values, ...geometryOf(parsed.data) } };
}

function geometryOf(config: z.output<typeof processorConfig>): Partial<PreprocessingInput> {
  const type = config.image_processor_type ?? config.feature_extractor_type ?? '';
  const size = config.do_resize ? edges(config.size) : undefined;
  const crop = config.do_center_crop === false ? undefined : edges(config.crop_size);
  if (/^ConvNext/i.test(type) && size !== undefined) {
    // Below 384 pixels ConvNeXt's processor resizes to size / crop_pct and crops; from there on it stretches.
    const [edge] = size.sides;
    const inputSize: [number, number] = [edge, edge];
    return edge < 384
      ? { inputSize, resize: 'shorter-side', cropFraction: config.crop_pct ?? 224 / 256 }
      : { inputSize, resize: 'stretch', cropFraction: 1 };
  }
  if (size === undefined) return crop === undefined ? {} : { inputSize: crop.sides };
  if (!size.shortest && crop === undefined) return { inputSize: size.sides, resize: 'stretch', cropFraction: 1 };
  if (crop === undefined) return { inputSize: size.sides, resize: 'shorter-side', cropFraction: 1 };
  const resize = size.shortest ? 'shorter-side' : 'stretch';
  return { inputSize: crop.sides, resize, cropFraction: Math.min(1, crop.sides[0] / size.sides[0]) };
}

function edges(value: z.output<typeof side> | undefined): { sides: [number, number]; shortest: boolean } | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'number') return { sides: [value, value], shortest: false };
  if (value.shortest_edge !== undefined) return { sides: [value.shortest_edge, value.shortest_edge], shortest: true };
  const { height, width } = value;
  return height === undefined || width === undefined ? undefined : { sides: [height, width], shortest: false };
}

function interpolationOf(name: string, origin: string): 'nearest' | 'bilinear' | 'bicubic' {
  if (name === 'nearest' || name === 'bilinear' || name === 'bicubic') return name;
  // timm trains with either and evaluates with bilinear.
  if (name === 'random') return 'bilinear';
  throw new InputError(
    `${origin}: the interpolation "${name}" is not supported; choose one with --interpolation nearest, bilinear or bicubic.`,
  );
}
