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

/** Reads Conv's (and the abstract convolution gradients') attributes; `weight` is the weight's shape. */
export function convolutionGeometry(node: Node, weight: readonly number[]): ConvolutionGeometry {
  const kernel = attribute(node, 'kernel_shape', 'ints', weight.slice(2));
  const rank = kernel.length;
  const ones = kernel.map(() => 1);
  const pads = attribute(node, 'pads', 'ints', [...ones, ...ones].fill(0));
  return {
    kernel,
    strides: attribute(node, 'strides', 'ints', ones),
    dilations: attribute(node, 'dilations', 'ints', ones),
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
