import { toNumbers } from '../../core/tensor.ts';
import { attribute, float, GRADIENT_DOMAIN, int, ints } from '../../onnx/graph.ts';
import { decomposed, rule, unary, type Differentiation, type OpContext, type RuleContext } from '../rule.ts';
import { windowAttributes, windowOf } from '../window.ts';

/** Convolutions. */
export const convolution = {
  // y = x * w + b: dx = dy * flipped w, dw = dy correlated with x, db = Σ dy over all but the channels
  Conv: rule((c) => {
    const [x, w] = [c.input(0), c.input(1)];
    const attributes = convAttributes(c, c.shape(x).slice(2), c.shape(w).slice(2));
    return [
      () => c.op('ConvGradInput', [c.dY, w], { ...attributes, input_shape: ints(c.shape(x)) }, GRADIENT_DOMAIN),
      () => c.op('ConvGradWeight', [c.dY, x], { ...attributes, weight_shape: ints(c.shape(w)) }, GRADIENT_DOMAIN),
      () => channelSum(c),
    ];
  }),
  // The transpose of a convolution from y to x: dx convolves dy, and in dw x and dy change places.
  ConvTranspose: rule((c) => {
    const [x, w] = [c.input(0), c.input(1)];
    const kernel = c.shape(w).slice(2);
    const attributes = { ...windowAttributes(transposedWindow(c, kernel)), group: int(groups(c)) };
    return [
      () => c.op('Conv', [c.dY, w], attributes),
      () => c.op('ConvGradWeight', [x, c.dY], { ...attributes, weight_shape: ints(c.shape(w)) }, GRADIENT_DOMAIN),
      () => channelSum(c),
    ];
  }),
  // The transpose of taking patches: dx takes them from dy. Its places are known, so it is one Gather from the padded image.
  Col2Im: unary((c, x) => {
    const [n, channels, ...image] = c.shape(c.dY) as [number, number, ...number[]];
    const kernel = toNumbers(c.constant(2, 'block_shape'));
    const { strides, dilations, pads } = windowOf(c.node, image, kernel);
    const rank = image.length;
    const padded = image.map((side, i) => side + pads[i]! + pads[rank + i]!);
    const counts = padded.map((side, i) => Math.floor((side - (kernel[i]! - 1) * dilations[i]! - 1) / strides[i]!) + 1);
    const places = patchPlaces(padded, kernel, counts, strides, dilations);
    const around = [0, 0, ...pads.slice(0, rank), 0, 0, ...pads.slice(rank)];
    const whole = pads.some((pad) => pad !== 0) ? c.op('Pad', [c.dY, c.ints(around)], { mode: 'constant' }) : c.dY;
    const flat = c.reshape(whole, [n, channels, padded.reduce((product, side) => product * side, 1)]);
    return c.reshape(c.op('Gather', [flat, c.ints(places)], { axis: 2 }), c.shape(x));
  }),
} satisfies Record<string, Differentiation>;

/** ONNX Runtime's convolution and product with an activation inside. */
export const fusedConvolution = {
  FusedConv: decomposed((c) => {
    const attributes = Object.entries(c.node.attributes).filter(([name]) => !name.startsWith('activation'));
    const inputs = [0, 1, 2].map((index) => c.optional(index) ?? '');
    const added = c.optional(3);
    const y = c.op('Conv', inputs, Object.fromEntries(attributes));
    return [
      activated(c, added === undefined ? y : c.add(y, added), attribute(c.node, 'activation_params', 'floats', [])),
    ];
  }),
  FusedGemm: decomposed((c) => {
    const attributes = Object.entries(c.node.attributes).filter(([name]) => !name.startsWith('activation'));
    const given = ['activation_alpha', 'activation_beta'].filter((name) => c.node.attributes[name] !== undefined);
    const parameters = given.map((name) => attribute(c.node, name, 'float'));
    return [activated(c, c.op('Gemm', c.node.inputs, Object.fromEntries(attributes)), parameters)];
  }),
} satisfies Record<string, Differentiation>;

function activated(c: OpContext, x: string, parameters: readonly number[]): string {
  const activation = attribute(c.node, 'activation', 'string', '');
  const [first, second] = parameters;
  switch (activation) {
    case '':
      return x;
    case 'Relu':
    case 'Tanh':
    case 'Sigmoid':
    case 'HardSwish':
      return c.op(activation, [x]);
    case 'LeakyRelu':
      return c.op(activation, [x], first === undefined ? {} : { alpha: float(first) });
    case 'HardSigmoid':
      return c.op(activation, [x], first === undefined ? {} : { alpha: float(first), beta: float(second ?? 0.5) });
    case 'Clip':
      return c.op(activation, [x, ...parameters.map((bound) => c.scalar(bound))]);
    default:
      throw c.refuse(`its activation "${activation}" has no gradient rule`);
  }
}

/** For every tap and every patch, in that order, its place in the flattened padded image. */
function patchPlaces(
  image: readonly number[],
  kernel: readonly number[],
  counts: readonly number[],
  strides: readonly number[],
  dilations: readonly number[],
): number[] {
  const along = (steps: readonly number[], sides: readonly number[]): number[] =>
    sides.reduce<number[]>(
      (places, side, axis) =>
        places.flatMap((place) => Array.from({ length: side }, (_, i) => place * image[axis]! + i * steps[axis]!)),
      [0],
    );
  return along(dilations, kernel).flatMap((tap) => along(strides, counts).map((patch) => tap + patch));
}

function convAttributes(c: RuleContext, input: readonly number[], kernel: readonly number[]) {
  return { ...windowAttributes(windowOf(c.node, input, kernel)), group: int(groups(c)) };
}

function groups(c: RuleContext): number {
  return attribute(c.node, 'group', 'int', 1);
}

function channelSum(c: RuleContext): string {
  return c.op('ChannelSum', [c.dY], {}, GRADIENT_DOMAIN);
}

/** The window of a ConvTranspose with its pads made explicit: total = s (in - 1) + output_padding + reach - out. */
function transposedWindow(c: RuleContext, kernel: readonly number[]) {
  const input = c.shape(c.input(0)).slice(2);
  const output = c.shape(c.output(0)).slice(2);
  const window = windowOf({ ...c.node, attributes: { ...c.node.attributes, auto_pad: NOTSET } }, input, kernel);
  const autoPad = attribute(c.node, 'auto_pad', 'string', 'NOTSET');
  if (autoPad === 'NOTSET' && c.node.attributes['output_shape'] === undefined) return window;
  const outputPadding = attribute(
    c.node,
    'output_padding',
    'ints',
    input.map(() => 0),
  );
  const totals = input.map((side, i) => {
    const reach = (kernel[i]! - 1) * window.dilations[i]! + 1;
    return window.strides[i]! * (side - 1) + outputPadding[i]! + reach - output[i]!;
  });
  const small = totals.map((total) => Math.floor(total / 2));
  const large = totals.map((total, i) => total - small[i]!);
  return { ...window, pads: autoPad === 'SAME_UPPER' ? [...small, ...large] : [...large, ...small] };
}

const NOTSET = { kind: 'string', value: 'NOTSET' } as const;
