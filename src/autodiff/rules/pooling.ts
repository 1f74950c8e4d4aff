import { attribute, GRADIENT_DOMAIN, int, ints } from '../../onnx/graph.ts';
import { decomposed, unary, type Differentiation, type OpContext, type RuleContext } from '../rule.ts';
import { windowAttributes, windowOf } from '../window.ts';

/** Pools over the spatial axes of [N, C, ...]. */
export const pooling = {
  // Each dy goes to the first maximum of its window.
  MaxPool: unary((c, x) => c.op('MaxPoolGrad', [c.dY, x, c.output(0)], poolAttributes(c, x), GRADIENT_DOMAIN)),
  // Each dy is spread over its window in equal parts.
  AveragePool: unary((c, x) =>
    c.op(
      'AveragePoolGrad',
      [c.dY],
      {
        ...poolAttributes(c, x),
        count_include_pad: int(attribute(c.node, 'count_include_pad', 'int', 0)),
        input_shape: ints(c.shape(x)),
      },
      GRADIENT_DOMAIN,
    ),
  ),
  // d mean(x) = dx / HW
  GlobalAveragePool: unary((c, x) =>
    c.op('GlobalAveragePoolGrad', [c.dY], { input_shape: c.shape(x) }, GRADIENT_DOMAIN),
  ),
  // A MaxPool whose window is the whole image.
  GlobalMaxPool: unary((c, x) => {
    const spatial = c.shape(x).slice(2);
    const zeros = spatial.map(() => 0);
    const ones = spatial.map(() => 1);
    const window = { kernel: spatial, strides: ones, dilations: ones, pads: [...zeros, ...zeros] };
    const attributes = { ...windowAttributes(window), ceil_mode: int(0) };
    return c.op('MaxPoolGrad', [c.dY, x, c.output(0)], attributes, GRADIENT_DOMAIN);
  }),
  // (Σ |x|^p)^(1/p) over a window: the window's sum is its mean, padding counted, times its size.
  LpPool: decomposed((c) => {
    const p = attribute(c.node, 'p', 'int', 2);
    // A mean over a window that hangs over the end counts fewer places than the sum needs.
    if (attribute(c.node, 'ceil_mode', 'int', 0) === 1) throw c.refuse('LpPool with ceil_mode 1 has no gradient rule');
    const shape = c.shape(c.input(0));
    const kernel = attribute(c.node, 'kernel_shape', 'ints');
    const attributes = {
      ...windowAttributes(windowOf(c.node, shape.slice(2), kernel)),
      count_include_pad: int(1),
    };
    const mean = c.op('AveragePool', [powerOf(c, p)], attributes);
    return [
      rootOf(
        c,
        c.scale(
          mean,
          kernel.reduce((product, side) => product * side, 1),
        ),
        p,
      ),
    ];
  }),
  GlobalLpPool: decomposed((c) => {
    const p = attribute(c.node, 'p', 'int', 2);
    const axes = c.shape(c.input(0)).flatMap((_, axis) => (axis >= 2 ? [axis] : []));
    return [rootOf(c, c.reduce('ReduceSum', powerOf(c, p), axes), p)];
  }),
} satisfies Record<string, Differentiation>;

function poolAttributes(c: RuleContext, x: string) {
  const window = windowOf(c.node, c.shape(x).slice(2), attribute(c.node, 'kernel_shape', 'ints'));
  return { ...windowAttributes(window), ceil_mode: int(attribute(c.node, 'ceil_mode', 'int', 0)) };
}

function powerOf(c: OpContext, p: number): string {
  const x = c.input(0);
  return p === 2 ? c.square(x) : c.op('Pow', [c.op('Abs', [x]), c.scalar(p)]);
}

function rootOf(c: OpContext, sum: string, p: number): string {
  return p === 2 ? c.op('Sqrt', [sum]) : c.op('Pow', [sum, c.scalar(1 / p)]);
}
