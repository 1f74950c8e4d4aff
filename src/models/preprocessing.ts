import { z } from 'zod';
import { InputError, ModelError, suggestion } from '../core/errors.ts';
import { float32, float32Scalar, int64, type Tensor } from '../core/tensor.ts';
import { GraphBuilder, type AttributeInput } from '../onnx/builder.ts';
import { append } from '../onnx/compose.ts';
import { dataTypeCode } from '../onnx/data-types.ts';
import { float, type Graph } from '../onnx/graph.ts';

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

/** For structures that hold a preprocessing among other things. */
export const preprocessingSchema = z
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

/** The graph that cuts crops out of decoded images: `image` uint8 [N, H, W, 3] to `crop` uint8 [N, h, w, 3]. */
export function cropGraph(spec: Preprocessing): Graph {
  const b = new GraphBuilder('crop');
  b.output(addCrop(b, b.input('image', 'uint8', ['N', 'H', 'W', 3]), spec), 'crop');
  return b.build();
}

/** The graph that makes a network's input of crops: `crop` uint8 [N, h, w, 3] to `input` float32. */
export function normaliseGraph(spec: Preprocessing): Graph {
  const b = new GraphBuilder('normalise');
  b.output(addNormalise(b, b.input('crop', 'uint8', ['N', ...spec.inputSize, 3]), spec), 'input');
  return b.build();
}

/**
 * A network that reads crops as `cropGraph` makes them: input `crop` uint8 [N, h, w, 3], the outputs of
 * the network under their own names.
 * @param network one float32 input, as the spec's size and layout say
 * @throws ModelError where the network's input has another type, rank or size
 */
export function networkOnCrops(network: Graph, spec: Preprocessing): Graph {
  checkNetworkInput(network, spec);
  const b = new GraphBuilder(network.name);
  const crop = b.input('crop', 'uint8', ['N', ...spec.inputSize, 3]);
  const outputs = append(
    b,
    network,
    { [network.inputs[0]!.name]: addNormalise(b, crop, spec) },
    { prefix: 'network/' },
  );
  for (const [name, value] of Object.entries(outputs)) b.output(value, name);
  return b.build();
}

/**
 * @throws ModelError unless the network has one float32 input of the spec's size and layout, with a batch
 * side that is not fixed.
 */
export function checkNetworkInput(network: Graph, spec: Preprocessing): void {
  const [input, ...others] = network.inputs;
  if (input === undefined || others.length > 0)
    throw new ModelError(
      `A network needs one input, an image; "${network.name}" has ${network.inputs.length}` +
        `${input === undefined ? '' : ` (${network.inputs.map(({ name }) => name).join(', ')})`}.`,
    );
  const { dtype, shape } = input.type;
  const [h, w] = spec.inputSize;
  const wanted = spec.layout === 'nchw' ? ['N', 3, h, w] : ['N', h, w, 3];
  const fits =
    dtype === 'float32' &&
    (shape === undefined ||
      (shape.length === 4 && shape.every((side, i) => typeof side === 'string' || (i > 0 && side === wanted[i]))));
  if (!fits)
    throw new ModelError(
      `The input "${input.name}" of "${network.name}" must take float32 [${wanted}] (${describePreprocessing(spec)}), ` +
        `it takes ${dtype} [${shape}].`,
    );
}

/**
 * Adds the geometry: limit on the aspect, resize, centre crop.
 * @param image name of a uint8 value [N, H, W, 3], any H and W
 * @returns name of a uint8 value [N, h, w, 3] of the spec's input size
 */
export function addCrop(b: GraphBuilder, image: string, spec: Preprocessing): string {
  const { op, int } = stepsOn(b);
  const axes = int('axes', [1, 2]);
  const middle = (name: string, of: string, size: string): [start: string, end: string] => {
    const start = op(`${name}/start`, 'Div', [op(`${name}/overhang`, 'Sub', [of, size]), int('two', [2])]);
    return [start, op(`${name}/end`, 'Add', [start, size])];
  };

  const size = op('size', 'Shape', [image], { start: 1, end: 3 });
  const shorter = op('shorter_side', 'ReduceMin', [size], { keepdims: 1 });
  const longest = op('longest_side', 'Mul', [shorter, int('max_aspect', [MAX_ASPECT])]);
  const kept = op('aspect/size', 'Min', [size, longest]);
  const limited = op('aspect', 'Slice', [image, ...middle('aspect', size, kept), axes]);

  const target = resizeTarget(spec);
  const resized = spec.resize === 'stretch' ? int('target', target) : coveringSize(b, kept, target);
  const scaled = op('resize', 'Resize', [limited, '', '', resized], {
    axes: [1, 2],
    coordinate_transformation_mode: 'half_pixel',
    keep_aspect_ratio_policy: 'stretch',
    ...RESAMPLING[spec.interpolation],
  });

  const cropped = op('crop', 'Slice', [scaled, ...middle('crop', resized, int('input_size', spec.inputSize)), axes]);
  // Moves nothing: it states the size, which no shape inference can find.
  return op('pixels', 'Reshape', [cropped, int('crop_shape', [0, ...spec.inputSize, 3])]);
}

/**
 * Adds the values: channel order, mean, deviation, layout.
 * @param crop name of a uint8 value [N, h, w, 3] as `addCrop` returns it
 * @returns name of a float32 value, [N, 3, h, w] or [N, h, w, 3] by the spec's layout
 */
export function addNormalise(b: GraphBuilder, crop: string, spec: Preprocessing): string {
  const { op, int, constant } = stepsOn(b);
  let pixels = crop;
  if (spec.channels === 'bgr') pixels = op('bgr', 'Gather', [pixels, int('bgr_order', [2, 1, 0])], { axis: 3 });
  // Bytes are moved before they become four times as large.
  if (spec.layout === 'nchw') pixels = op('nchw', 'Transpose', [pixels], { perm: [0, 3, 1, 2] });
  const values = op('float', 'Cast', [pixels], { to: dataTypeCode('float32') });
  const channels = (name: string, numbers: readonly number[]): string => {
    if (numbers.every((value) => value === numbers[0])) return constant(name, float32Scalar(numbers[0]!));
    return constant(name, float32(numbers, spec.layout === 'nchw' ? [3, 1, 1] : [3]));
  };
  const centred = op('centred', 'Sub', [values, channels('mean', spec.mean)]);
  return op('normalised', 'Div', [centred, channels('std', spec.std)]);
}

/**
 * The smallest size of the image's own aspect that covers `target`, rounded to the nearest pixel, ties
 * to even: in each axis the target, or the side that the other axis' scale gives, whichever is larger.
 */
function coveringSize(b: GraphBuilder, size: string, target: readonly [number, number]): string {
  const { op, int } = stepsOn(b);
  const double = { to: dataTypeCode('float64') };
  const other = op('resize/other_side', 'Gather', [size, int('swap', [1, 0])], { axis: 0 });
  // Whole numbers up to the quotient: a tie is seen as one.
  const product = op('resize/product', 'Mul', [size, int('other_target', [target[1], target[0]])]);
  const dividend = op('resize/dividend', 'Cast', [product], double);
  const quotient = op('resize/quotient', 'Div', [dividend, op('resize/divisor', 'Cast', [other], double)]);
  const rounded = op('resize/rounded', 'Round', [quotient]);
  const side = op('resize/side', 'Cast', [rounded], { to: dataTypeCode('int64') });
  return op('resize/size', 'Max', [side, int('target', target)]);
}

/** Adds nodes and constants under names of their own, so that those of the network stay free. */
function stepsOn(b: GraphBuilder) {
  const made = new Map<string, string>();
  const constant = (name: string, value: Tensor): string => {
    const known = made.get(name) ?? b.initializer(b.uniqueName(`preprocess/${name}`), value);
    made.set(name, known);
    return known;
  };
  return {
    constant,
    int: (name: string, values: readonly number[]): string => constant(name, int64(values)),
    op: (name: string, opType: string, inputs: readonly string[], attributes: Record<string, AttributeInput> = {}) =>
      b.op(opType, inputs, attributes, { name: `preprocess/${name}` }),
  };
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
