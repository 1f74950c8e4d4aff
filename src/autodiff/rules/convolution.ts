import { attribute, GRADIENT_DOMAIN, int, ints } from '../../onnx/graph.ts';
import { rule, type Differentiation, type RuleContext } from '../rule.ts';
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
} satisfies Record<string, Differentiation>;

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
