import { attribute } from '../../onnx/graph.ts';
import { convolutionGeometry, extents, type ConvolutionGeometry } from '../convolution-geometry.ts';
import type { Emitter } from '../emitter.ts';
import { Layout, padded, type LayoutName } from '../layout.ts';
import { asStored, blockedForm, channels, type BlockedLowering, type BlockedSite } from './blocked-lowering.ts';

/**
 * Convolutions and their gradients with respect to the input, on tensors in blocks of B channels.
 * X [N, C, H, W], W [O, C/g, kH, kW].
 */

/**
 * How the engine runs a convolution in blocks. `dense`: blocks of input and output channels (grouped too,
 * where groups are whole blocks). `depthwise`: one filter a channel. `stem`: a few input channels that stay
 * in the plain layout.
 */
export type BlockedKind = 'dense' | 'depthwise' | 'stem';

/** Below this many channels an image is better read as it is. */
const STEM_CHANNELS = 4;

/** The kind of a convolution, or undefined where blocks do not fit. */
export function blockedKind(
  inputChannels: number,
  weight: readonly number[],
  group: number,
  block: number,
): BlockedKind | undefined {
  if (weight.length !== 4) return undefined;
  const [outputs, perGroup] = weight as [number, number];
  if (group > 1 && perGroup === 1 && outputs === group && inputChannels === group) return 'depthwise';
  if (group === 1) return inputChannels <= STEM_CHANNELS ? 'stem' : 'dense';
  return perGroup % block === 0 && (outputs / group) % block === 0 ? 'dense' : undefined;
}

export function weightLayout(kind: BlockedKind): LayoutName {
  return kind === 'dense' ? 'dense' : 'outputs';
}

/** `group` as the engine must be told: depthwise channels are padded. */
export function blockedGroup(kind: BlockedKind, geometry: ConvolutionGeometry, block: number): number {
  return kind === 'depthwise' ? padded(geometry.group, block) : geometry.group;
}

const forward: BlockedLowering = {
  name: 'nchwc.Conv',
  applies: (site) => forwardKind(site) !== undefined,
  wants(site) {
    const kind = forwardKind(site)!;
    return { layouts: [kind === 'stem' ? 'plain' : 'channels', weightLayout(kind), 'plain'] };
  },
  emit(e, [x, w, bias], site) {
    const geometry = forwardGeometry(site);
    const inputs = [x!, w!];
    if (bias) {
      const outputs = site.shapes[1]![0]!;
      inputs.push(e.pad(bias, [0], [padded(outputs, site.block) - outputs]));
    }
    const group = blockedGroup(forwardKind(site)!, geometry, site.block);
    return [blockedForm(e.nchwc('Conv', inputs, convolutionAttributes(geometry, group)))];
  },
};

const forwardGeometry = (site: BlockedSite): ConvolutionGeometry =>
  convolutionGeometry(site.node, site.shapes[1]!, site.shapes[0]!.slice(2));

function forwardKind(site: BlockedSite): BlockedKind | undefined {
  const { group } = forwardGeometry(site);
  return site.shapes[0]!.length === 4
    ? blockedKind(site.shapes[0]![1]!, site.shapes[1]!, group, site.block)
    : undefined;
}

/** dX as a convolution of dY with the weight turned around; where the stride is over 1, zeros are put between dY's pixels. */
const inputGradient: BlockedLowering = {
  name: 'nchwc.Conv with flipped weights',
  applies: (site) => gradientKind(site) !== undefined && gradientPads(site) !== undefined,
  wants: (site) => ({ layouts: ['channels', weightLayout(gradientKind(site)!)] }),
  emit(e, [dy, w], site) {
    const kind = gradientKind(site)!;
    const geometry = convolutionGeometry(site.node, site.shapes[1]!);
    const turned = turnedWeight(e, w!, site.shapes[1]!, kind, geometry.group, site.block);
    const { before, after } = gradientPads(site)!;
    const spread = insertZeros(e, dy!, site.shapes[0]!, geometry.strides, channels(site));
    const attributes = convolutionAttributes(
      { ...geometry, strides: [1, 1], padsBefore: before, padsAfter: after },
      blockedGroup(kind, geometry, site.block),
    );
    return [blockedForm(e.nchwc('Conv', [spread, turned], attributes))];
  },
};

/** dX of a strided pointwise convolution: the product first, then zeros where no window looked. */
const pointwiseInputGradient: BlockedLowering = {
  name: 'nchwc.Conv, then zeros between pixels',
  applies(site) {
    const { kernel, strides, padsBefore, padsAfter } = convolutionGeometry(site.node, site.shapes[1]!);
    return (
      gradientKind(site) === 'dense' &&
      kernel.every((k) => k === 1) &&
      strides.some((s) => s > 1) &&
      [...padsBefore, ...padsAfter].every((p) => p === 0)
    );
  },
  wants: () => ({ layouts: ['channels', 'dense'] }),
  emit(e, [dy, w], site) {
    const { strides, group } = convolutionGeometry(site.node, site.shapes[1]!);
    const inputShape = attribute(site.node, 'input_shape', 'ints');
    const turned = turnedWeight(e, w!, site.shapes[1]!, 'dense', group, site.block);
    const small = e.nchwc('Conv', [dy!, turned], { kernel_shape: [1, 1], group });
    const smallShape = [inputShape[0]!, inputShape[1]!, ...site.shapes[0]!.slice(2)];
    return [blockedForm(insertZeros(e, small, smallShape, strides, channels(site), inputShape.slice(2)))];
  },
};

/**
 * dX at stride 2 in four parts, one for each parity of row and column: each is a convolution of dY with
 * the taps that meet such pixels, so that no zero is multiplied. The parts are then interleaved.
 */
const phasedInputGradient: BlockedLowering = {
  name: 'nchwc.Conv for each parity, interleaved',
  applies(site) {
    if (gradientKind(site) !== 'dense') return false;
    const { kernel, strides, dilations, group } = convolutionGeometry(site.node, site.shapes[1]!);
    const sides = attribute(site.node, 'input_shape', 'ints').slice(2);
    return (
      group === 1 &&
      strides.every((s) => s === 2) &&
      dilations.every((d) => d === 1) &&
      kernel.every((k) => k > 1) &&
      sides.every((side) => side % 2 === 0) &&
      [0, 1].every((axis) => [0, 1].every((parity) => phase(site, axis, parity) !== undefined))
    );
  },
  wants: () => ({ layouts: ['channels', 'dense'] }),
  emit(e, [dy, w], site) {
    const shape = site.shapes[1]!;
    const inputShape = attribute(site.node, 'input_shape', 'ints');
    const layout = channels(site);
    const dense = new Layout('dense', site.block);
    const view = e.rearrange(w!, dense.viewShape(shape), [1, 0, 2, 3, 5, 4]);
    const turnedShape = [shape[1]!, shape[0]!];
    const [height, width] = [inputShape[2]! / 2, inputShape[3]! / 2];
    const partShape = [inputShape[0]!, inputShape[1]!, height, width];
    const rows = [0, 1].map((rowParity) => {
      const parts = [0, 1].map((columnParity) => {
        const [row, column] = [phase(site, 0, rowParity)!, phase(site, 1, columnParity)!];
        // Every second tap, from the last one down.
        const taps = e.slice(view, [row.last, column.last], [-(2 ** 31), -(2 ** 31)], [2, 3], [-2, -2]);
        const weight = asStored(e, taps, [...turnedShape, row.count, column.count], dense);
        const part = e.nchwc('Conv', [dy!, weight], {
          kernel_shape: [row.count, column.count],
          pads: [row.before, column.before, row.after, column.after],
        });
        const [n, blocks, , , block] = layout.viewShape(partShape) as [number, number, number, number, number];
        return e.reshape(part, [n, blocks, height * width, block]);
      });
      const [n, blocks] = layout.viewShape(partShape) as [number, number];
      const woven = e.op('Concat', parts, { axis: 3 });
      return e.reshape(woven, [n, blocks, height, 2 * width * site.block]);
    });
    return [blockedForm(asStored(e, e.op('Concat', rows, { axis: 3 }), inputShape, layout))];
  },
};

interface Phase {
  /** Taps k = last, last - 2, ... */
  readonly last: number;
  readonly count: number;
  readonly before: number;
  readonly after: number;
}

/**
 * Pixel h = 2 i + parity meets tap k of window o where h = 2 o - p + k: k has the parity of h + p, and
 * o = i + (parity + p - k) / 2.
 */
function phase(site: BlockedSite, axis: number, parity: number): Phase | undefined {
  const { kernel, padsBefore } = convolutionGeometry(site.node, site.shapes[1]!);
  const side = attribute(site.node, 'input_shape', 'ints')[axis + 2]! / 2;
  const outputSide = site.shapes[0]![axis + 2]!;
  const [k, p] = [kernel[axis]!, padsBefore[axis]!];
  const first = (parity + p) % 2;
  if (first >= k) return undefined;
  const count = Math.floor((k - 1 - first) / 2) + 1;
  const last = first + 2 * (count - 1);
  // The last tap looks at the lowest o, i + (parity + p - last) / 2, which is where the window starts.
  const before = -(parity + p - last) / 2;
  const after = side - outputSide - before + count - 1;
  return before < 0 || after < 0 ? undefined : { last, count, before, after };
}

function gradientKind(site: BlockedSite): BlockedKind | undefined {
  const inputShape = attribute(site.node, 'input_shape', 'ints');
  if (inputShape.length !== 4) return undefined;
  const kind = blockedKind(
    inputShape[1]!,
    site.shapes[1]!,
    convolutionGeometry(site.node, site.shapes[1]!).group,
    site.block,
  );
  // A stem's weight has no blocks of input channels to turn around.
  return kind === 'stem' ? undefined : kind;
}

/** Padding of dY (with its zeros in between) so that the result has X's sides; undefined where it would be negative. */
function gradientPads(site: BlockedSite): { before: number[]; after: number[] } | undefined {
  const geometry = convolutionGeometry(site.node, site.shapes[1]!);
  const sides = attribute(site.node, 'input_shape', 'ints').slice(2);
  const extent = extents(geometry);
  const before = extent.map((side, i) => side - 1 - geometry.padsBefore[i]!);
  const after = extent.map((side, i) => {
    const spread = site.shapes[0]![i + 2]! * geometry.strides[i]!;
    return sides[i]! - spread - before[i]! + side - 1;
  });
  // Zeros at the end of dY can be left out again, but no pixel of it.
  return before.every((p) => p >= 0) && after.every((p) => p >= 0) ? { before, after } : undefined;
}

/** W with input and output channels exchanged and taps reversed, in its layout. */
function turnedWeight(
  e: Emitter,
  w: string,
  shape: readonly number[],
  kind: BlockedKind,
  group: number,
  block: number,
): string {
  const layout = new Layout(weightLayout(kind), block);
  const view = layout.viewShape(shape);
  const moving = [2, 3].filter((axis) => shape[axis]! > 1);
  if (kind === 'depthwise') {
    if (moving.length === 0) return w;
    return asStored(e, e.flip(e.reshape(w, view), moving), shape, layout);
  }
  // [g, O/gB, I/B, kH, kW, B of I, B of O] with both pairs of channel parts exchanged
  const [outputs, ...rest] = view as [number, ...number[]];
  const turned = e.rearrange(w, [group, outputs / group, ...rest], [0, 2, 1, 3, 4, 6, 5]);
  const flipped =
    moving.length === 0
      ? turned
      : e.flip(
          turned,
          moving.map((axis) => axis + 1),
        );
  return e.reshape(flipped, layout.storedShape([shape[1]! * group, shape[0]! / group, ...shape.slice(2)]));
}

/**
 * Pixels of a blocked tensor moved apart: each is followed by stride - 1 zeros along both axes. With
 * `sides`, the result is cut or continued by zeros to them.
 */
export function insertZeros(
  e: Emitter,
  x: string,
  shape: readonly number[],
  strides: readonly number[],
  layout: Layout,
  sides: readonly number[] = strides.map((s, i) => s * shape[i + 2]!),
): string {
  if (strides.every((s) => s === 1)) return x;
  const [n, blocks, height, width, block] = layout.viewShape(shape) as [number, number, number, number, number];
  const [down, right] = strides as [number, number];
  const spread = e.pad(
    e.reshape(x, [n * blocks, height, 1, width, block]),
    [0, 0, 0, 0, 0],
    [0, 0, down - 1, 0, (right - 1) * block],
  );
  const stored = [shape[0]!, shape[1]!, height * down, width * right];
  if (stored[2] === sides[0] && stored[3] === sides[1]) return asStored(e, spread, stored, layout);
  const view = e.reshape(spread, layout.viewShape(stored));
  const grown = e.pad(
    view,
    [0, 0, 0, 0, 0],
    [0, 0, Math.max(0, sides[0]! - stored[2]!), Math.max(0, sides[1]! - stored[3]!), 0],
  );
  const cut = e.slice(grown, [0, 0], [...sides], [2, 3]);
  return asStored(e, cut, [shape[0]!, shape[1]!, ...sides], layout);
}

function convolutionAttributes(geometry: ConvolutionGeometry, group: number) {
  return {
    kernel_shape: geometry.kernel,
    strides: geometry.strides,
    dilations: geometry.dilations,
    pads: [...geometry.padsBefore, ...geometry.padsAfter],
    group,
  };
}

export const blockedConvolutions = {
  Conv: [forward],
  ConvGradInput: [pointwiseInputGradient, phasedInputGradient, inputGradient],
};
