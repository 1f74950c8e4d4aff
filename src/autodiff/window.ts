import { attribute, ints, type Attribute, type Node } from '../onnx/graph.ts';

/** The sliding window of a convolution or a pool over the spatial axes, auto_pad resolved. */
export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Begin of every axis, then end of every axis, as ONNX writes pads. */
  readonly pads: readonly number[];
}

/** Reads the window of a Conv, MaxPool, AveragePool or LpPool; `input` and `kernel` are spatial sides. */
export function windowOf(node: Node, input: readonly number[], kernel: readonly number[]): Window {
  const ones = input.map(() => 1);
  const strides = attribute(node, 'strides', 'ints', ones);
  const dilations = attribute(node, 'dilations', 'ints', ones);
  const autoPad = attribute(node, 'auto_pad', 'string', 'NOTSET');
  const base = { kernel: [...kernel], strides: [...strides], dilations: [...dilations] };
  if (autoPad === 'NOTSET')
    return {
      ...base,
      pads: [
        ...attribute(
          node,
          'pads',
          'ints',
          [...ones, ...ones].map(() => 0),
        ),
      ],
    };
  if (autoPad === 'VALID') return { ...base, pads: [...ones, ...ones].map(() => 0) };
  // SAME: the output has ceil(input / stride) places; an odd pad has its larger half at the end (UPPER) or the begin (LOWER).
  const totals = input.map((side, i) => {
    const reach = (kernel[i]! - 1) * dilations[i]! + 1;
    return Math.max((Math.ceil(side / strides[i]!) - 1) * strides[i]! + reach - side, 0);
  });
  const small = totals.map((total) => Math.floor(total / 2));
  const large = totals.map((total) => Math.ceil(total / 2));
  return { ...base, pads: autoPad === 'SAME_UPPER' ? [...small, ...large] : [...large, ...small] };
}

/** A window as attributes of a node. */
export function windowAttributes(window: Window): Record<string, Attribute> {
  return {
    kernel_shape: ints(window.kernel),
    strides: ints(window.strides),
    dilations: ints(window.dilations),
    pads: ints(window.pads),
  };
}
