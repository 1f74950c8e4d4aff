import { attribute, type Node } from '../onnx/graph.ts';

/** The attributes of a convolution, all resolved, each list one entry per spatial axis. */
export interface ConvolutionGeometry {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly padsBefore: readonly number[];
  readonly padsAfter: readonly number[];
  readonly group: number;
}

/**
 * Reads the attributes of Conv, a pooling op or an abstract convolution gradient; `weight` is the weight's
 * shape. `sides` (X's, without N and C) is needed where padding may be given as `auto_pad`.
 */
export function convolutionGeometry(
  node: Node,
  weight: readonly number[],
  sides?: readonly number[],
): ConvolutionGeometry {
  const kernel = attribute(node, 'kernel_shape', 'ints', weight.slice(2));
  const rank = kernel.length;
  const ones = kernel.map(() => 1);
  const strides = attribute(node, 'strides', 'ints', ones);
  const dilations = attribute(node, 'dilations', 'ints', ones);
  const auto = attribute(node, 'auto_pad', 'string', 'NOTSET');
  let pads = attribute(node, 'pads', 'ints', [...ones, ...ones].fill(0));
  if (auto.startsWith('SAME') && sides !== undefined) {
    const totals = sides.map((side, i) => {
      const covered = (Math.ceil(side / strides[i]!) - 1) * strides[i]! + dilations[i]! * (kernel[i]! - 1) + 1;
      return Math.max(0, covered - side);
    });
    const smaller = totals.map((total) => Math.floor(total / 2));
    const larger = totals.map((total) => Math.ceil(total / 2));
    pads = auto === 'SAME_UPPER' ? [...smaller, ...larger] : [...larger, ...smaller];
  }
  return {
    kernel,
    strides,
    dilations,
    padsBefore: pads.slice(0, rank),
    padsAfter: pads.slice(rank),
    group: attribute(node, 'group', 'int', 1),
  };
}

/** The side that a window covers: d (k - 1) + 1, per axis. */
export function extents(geometry: Pick<ConvolutionGeometry, 'kernel' | 'dilations'>): number[] {
  return geometry.kernel.map((k, i) => geometry.dilations[i]! * (k - 1) + 1);
}

/** True where windows are single pixels, side by side, without padding: a matrix product over channels. */
export function isPointwise(geometry: ConvolutionGeometry): boolean {
  return (
    geometry.kernel.every((k) => k === 1) &&
    geometry.strides.every((s) => s === 1) &&
    geometry.padsBefore.every((p) => p === 0) &&
    geometry.padsAfter.every((p) => p === 0)
  );
}
