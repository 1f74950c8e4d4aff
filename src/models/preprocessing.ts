import { z } from 'zod';
import { InputError, suggestion } from '../core/errors.ts';
import { float32, float32Scalar } from '../core/tensor.ts';
import type { GraphBuilder } from '../onnx/builder.ts';
import { dataTypeCode } from '../onnx/data-types.ts';
import { float } from '../onnx/graph.ts';

/**
 * What lies between a decoded image and a network's input, as a checked structure and as graph
 * fragments. The fragments are the only implementation: evaluation, feature cache, calibration,
 * prediction and the exported model all run them.
 */

/** Larger than any side of an image that passes the limit on pixels and on aspect. */
const LARGEST_SIDE = 4096;

/**
 * The longer side of an image is at most this many times the shorter; what is beyond is cropped away,
 * evenly at both ends, before anything else: a line of 1x4000 pixels would become 224x896000.
 */
export const MAX_ASPECT = 16;

const perChannel = z.tuple([z.number(), z.number(), z.number()]).readonly();
const side = z.int().min(8).max(LARGEST_SIDE);

const preprocessingSchema = z
  .strictObject({
    /** Height and width of the network's input, in pixels. */
    inputSize: z.tuple([side, side]).readonly(),
    /**
     * `shorter-side` keeps the aspect: the image is scaled until it just covers the wanted size, and the
     * overhang is cropped. `stretch` scales each side on its own and loses nothing but the aspect.
     */
    resize: z.enum(['shorter-side', 'stretch']).default('shorter-side'),
    /** Share of the resized image's side that the centre crop keeps: 0.875 resizes to 256 for an input of 224. */
    cropFraction: z.number().gt(0.1).max(1).default(1),
    /**
     * `bilinear` and `bicubic` are antialiased where they shrink and give Pillow's values to one grey level,
     * in about one value of a thousand to two.
     */
    interpolation: z.enum(['nearest', 'bilinear', 'bicubic']).default('bicubic'),
    /** Subtracted from values on 0..255, for each channel of the network's input in its own order. */
    mean: perChannel,
    /** Divides what is left, on the same scale and in the same order. */
    std: perChannel.refine((values) => values.every((value) => value > 0), 'must be over 0'),
    channels: z.enum(['rgb', 'bgr']).default('rgb'),
    layout: z.enum(['nchw', 'nhwc']).default('nchw'),
  })
  .readonly();

/** How a decoded image becomes a network's input: complete, with nothing left to be guessed. */
export type Preprocessing = z.output<typeof preprocessingSchema>;
/** The same as a caller writes it: only `inputSize`, `mean` and `std` have no default. */
export type PreprocessingInput = z.input<typeof preprocessingSchema>;

/**
 * Checks a preprocessing from outside and fills in defaults.
 * @throws InputError that names every fault at once, with "did you mean" for an unknown key.
 * @example
 * parsePreprocessing({ inputSize: [224, 224], mean: [128, 128, 128], std: [128, 128, 128] }, 'config.json');
 */
export function parsePreprocessing(value: unknown, where: string): Preprocessing {
  const parsed = preprocessingSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const known = ['inputSize', 'resize', 'cropFraction', 'interpolation', 'mean', 'std', 'channels', 'layout'];
  const faults = parsed.error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => `unknown key "${key}"${suggestion(key, known)}`)
      : [`${issue.path.join('.') || 'the whole'}: ${issue.message}`],
  );
  throw new InputError(`The preprocessing in ${where} is not valid: ${faults.join('; ')}.`);
}

/** Height and width that the image is resized to, or has to cover, before the centre crop. */
export function resizeTarget(spec: Preprocessing): [height: number, width: number] {
  // Rounded down, as timm does.
  return [Math.floor(spec.inputSize[0] / spec.cropFraction), Math.floor(spec.inputSize[1] / spec.cropFraction)];
}

/**
 * Adds the geometry: limit on the aspect, resize, centre crop.
 * @param image name of a uint8 value [N, H, W, 3], any H and W
 * @returns name of a uint8 value [N, h, w, 3] of the spec's input size
 */
export function addCrop(b: GraphBuilder, image: string, spec: Preprocessing): string {
  const axes = b.int([1, 2]);
  const step = (opType: string, inputs: readonly string[], name: string, attributes = {}): string =>
    b.op(opType, inputs, attributes, { name: `preprocess/${name}` });
  const middle = (of: string, size: string, name: string): [string, string] => {
    const start = step('Div', [step('Sub', [of, size], `${name}/overhang`), b.int([2])], `${name}/start`);
    return [start, step('Add', [start, size], `${name}/end`)];
  };

  const size = step('Shape', [image], 'size', { start: 1, end: 3 });
  const shorter = step('ReduceMin', [size], 'shorter_side', { keepdims: 1 });
  const longest = step('Mul', [shorter, b.int([MAX_ASPECT])], 'longest_side');
  const kept = step('Min', [size, longest], 'aspect/size');
  const limited = step('Slice', [image, ...middle(size, kept, 'aspect'), axes], 'aspect/crop');

  const target = resizeTarget(spec);
  const resized = spec.resize === 'stretch' ? b.int(target) : coveringSize(b, kept, target);
  const scaled = step('Resize', [limited, '', '', resized], 'resize', {
    axes: [1, 2],
    coordinate_transformation_mode: 'half_pixel',
    keep_aspect_ratio_policy: 'stretch',
    ...RESAMPLING[spec.interpolation],
  });

  const cropped = step('Slice', [scaled, ...middle(resized, b.int(spec.inputSize), 'crop'), axes], 'crop');
  // Moves nothing: it states the size, which no shape inference can find.
  return step('Reshape', [cropped, b.int([0, ...spec.inputSize, 3])], 'pixels');
}

/**
 * Adds the values: channel order, mean, deviation, layout.
 * @param crop name of a uint8 value [N, h, w, 3] as `addCrop` returns it
 * @returns name of a float32 value, [N, 3, h, w] or [N, h, w, 3] by the spec's layout
 */
export function addNormalise(b: GraphBuilder, crop: string, spec: Preprocessing): string {
  const step = (opType: string, inputs: readonly string[], name: string, attributes = {}): string =>
    b.op(opType, inputs, attributes, { name: `preprocess/${name}` });
  let pixels = crop;
  if (spec.channels === 'bgr') pixels = step('Gather', [pixels, b.int([2, 1, 0])], 'bgr', { axis: 3 });
  // Bytes are moved before they become four times as large.
  if (spec.layout === 'nchw') pixels = step('Transpose', [pixels], 'nchw', { perm: [0, 3, 1, 2] });
  const values = step('Cast', [pixels], 'float', { to: dataTypeCode('float32') });
  const constant = (values: readonly number[]): string => {
    if (values.every((value) => value === values[0])) return b.constant(float32Scalar(values[0]!));
    return b.constant(float32(values, spec.layout === 'nchw' ? [3, 1, 1] : [3]));
  };
  return step('Div', [step('Sub', [values, constant(spec.mean)], 'minus_mean'), constant(spec.std)], 'normalised');
}

/**
 * The smallest size of the image's own aspect that covers `target`, rounded to the nearest pixel, ties
 * to even: in each axis the target, or the side that the other axis' scale gives, whichever is larger.
 */
function coveringSize(b: GraphBuilder, size: string, target: readonly [number, number]): string {
  const step = (opType: string, inputs: readonly string[], name: string, attributes = {}): string =>
    b.op(opType, inputs, attributes, { name: `preprocess/${name}` });
  const double = { to: dataTypeCode('float64') };
  const other = step('Gather', [size, b.int([1, 0])], 'resize/other_side', { axis: 0 });
  // Whole numbers up to the quotient: a tie is seen as one.
  const product = step('Mul', [size, b.int([target[1], target[0]])], 'resize/product');
  const quotient = step(
    'Div',
    [step('Cast', [product], 'resize/dividend', double), step('Cast', [other], 'resize/divisor', double)],
    'resize/quotient',
  );
  const rounded = step('Round', [quotient], 'resize/rounded');
  const side = step('Cast', [rounded], 'resize/side', { to: dataTypeCode('int64') });
  return step('Max', [side, b.int(target)], 'resize/size');
}

/** Pillow's filters. `exclude_outside` renormalises the weights at the border, as Pillow does. */
const RESAMPLING = {
  nearest: { mode: 'nearest', nearest_mode: 'round_prefer_ceil' },
  bilinear: { mode: 'linear', antialias: 1, exclude_outside: 1 },
  bicubic: { mode: 'cubic', antialias: 1, exclude_outside: 1, cubic_coeff_a: float(-0.5) },
} as const;

/**
 * One line for a person.
 * @example
 * describePreprocessing(spec); // '224x224 RGB, shorter side to 256 (bicubic), centre crop, (x - 128) / 128, NCHW'
 */
export function describePreprocessing(spec: Preprocessing): string {
  const [h, w] = spec.inputSize;
  const [targetHeight, targetWidth] = resizeTarget(spec);
  const square = targetHeight === targetWidth;
  const resize =
    spec.resize === 'stretch'
      ? `stretched to ${targetHeight}x${targetWidth}`
      : square
        ? `shorter side to ${targetHeight}`
        : `scaled to cover ${targetHeight}x${targetWidth}`;
  const list = (values: readonly number[]): string =>
    values.every((value) => value === values[0]) ? number(values[0]!) : `[${values.map(number).join(', ')}]`;
  const crop = spec.resize === 'stretch' && spec.cropFraction === 1 ? '' : ' centre crop,';
  return `${h}x${w} ${spec.channels.toUpperCase()}, ${resize} (${spec.interpolation}),${crop} (x - ${list(spec.mean)}) / ${list(spec.std)}, ${spec.layout.toUpperCase()}`;
}

function number(value: number): string {
  return String(Number(value.toFixed(3)));
}
