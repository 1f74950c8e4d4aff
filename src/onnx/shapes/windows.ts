import { attribute, type Dim, type Node, type Shape } from '../graph.ts';
import type { InferContext } from '../infer.ts';

/** The sliding window of a convolution or a pooling, one entry a spatial axis. */
export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Starts of all axes, then ends; undefined where `auto_pad` decides by the input's size. */
  readonly pads: readonly number[] | undefined;
  readonly autoPad: string;
  readonly ceilMode: boolean;
}

/** @throws RangeError where an attribute's length or values do not fit `kernel`. */
export function windowOf(node: Node, kernel: readonly number[]): Window {
  const rank = kernel.length;
  const ones = Array.from({ length: rank }, () => 1);
  const autoPad = attribute(node, 'auto_pad', 'string', 'NOTSET');
  const same = autoPad === 'SAME_UPPER' || autoPad === 'SAME_LOWER';
  const zeros = Array.from({ length: 2 * rank }, () => 0);
  const strides = positive('strides', attribute(node, 'strides', 'ints', ones), rank);
  const dilations = positive('dilations', attribute(node, 'dilations', 'ints', ones), rank);
  const pads = autoPad === 'VALID' ? zeros : attribute(node, 'pads', 'ints', zeros);
  if (pads.length !== 2 * rank)
    throw new RangeError(`attribute "pads" must have ${2 * rank} entries (starts, then ends), got [${pads}].`);
  const ceilMode = attribute(node, 'ceil_mode', 'int', 0) === 1;
  return { kernel, strides, dilations, pads: same ? undefined : pads, autoPad, ceilMode };
}

function positive(name: string, values: readonly number[], rank: number): readonly number[] {
  if (values.length !== rank || values.some((value) => value < 1))
    throw new RangeError(`attribute "${name}" must have ${rank} positive entries, got [${values}].`);
  return values;
}

/** The kernel's sides: the attribute `kernel_shape`, else the weight's spatial sides. @throws RangeError where they differ. */
export function kernelOf(node: Node, weightSpatial?: Shape): readonly number[] | undefined {
  const fromWeight = weightSpatial?.every((side) => typeof side === 'number') ? (weightSpatial as number[]) : undefined;
  const declared = attribute(node, 'kernel_shape', 'ints', fromWeight ?? []);
  if (declared.length === 0) return undefined;
  if (fromWeight !== undefined && fromWeight.some((side, i) => side !== declared[i]))
    throw new RangeError(`attribute "kernel_shape" is [${declared}], the weight's spatial sides are [${fromWeight}].`);
  return declared;
}

/** Spatial sides of the result of sliding `window` over `spatial`. @throws RangeError where the window does not fit. */
export function slide(window: Window, spatial: Shape, context: InferContext): Dim[] {
  if (spatial.length !== window.kernel.length)
    throw new RangeError(`a window of ${window.kernel.length} axes can not slide over sides [${spatial}].`);
  return spatial.map((side, i) => {
    const stride = window.strides[i]!;
    const extent = (window.kernel[i]! - 1) * window.dilations[i]! + 1;
    if (typeof side !== 'number') return stride === 1 && keepsSide(window, i, extent) ? side : context.unknownDim();
    if (window.pads === undefined) return Math.ceil(side / stride);
    const begin = window.pads[i]!;
    const room = side + begin + window.pads[i + spatial.length]! - extent;
    if (room < 0) throw new RangeError(`a window of ${extent} does not fit side ${side} with pads [${window.pads}].`);
    const count = (window.ceilMode ? Math.ceil(room / stride) : Math.floor(room / stride)) + 1;
    // A last window that would start in the end padding is left out.
    return window.ceilMode && (count - 1) * stride >= side + begin ? count - 1 : count;
  });
}

function keepsSide(window: Window, axis: number, extent: number): boolean {
  if (window.pads === undefined) return true;
  const padded = window.pads[axis]! + window.pads[axis + window.kernel.length]!;
  return padded === extent - 1;
}
