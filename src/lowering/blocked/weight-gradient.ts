import { attribute } from '../../onnx/graph.ts';
import { convolutionGeometry, extents, isPointwise, type ConvolutionGeometry } from '../convolution-geometry.ts';
import { product, type Emitter } from '../emitter.ts';
import { asStored, asView, blockedForm, channels, type BlockedLowering, type BlockedSite } from './blocked-lowering.ts';
import { blockedKind } from './convolution.ts';

/**
 * Gradients of convolutions with respect to the weight, on tensors in blocks of B channels. The dense ones
 * are matrix products over pixels: dW[o, c, k] = sum over images and pixels of dY[o] times X[c] shifted by
 * tap k. They differ in who makes the shifts, and in whether the images are summed inside one product
 * (pixels of all images in a row) or after one product an image.
 */

/**
 * Depthwise, with no copy at all: X as one image of N C channels, dY as a filter [N C, 1, Ho, Wo] of a
 * depthwise convolution whose dilation is the stride; its output is kH x kW. Then summed over N.
 */
const depthwise: BlockedLowering = {
  name: 'nchwc.Conv with dY as the filter',
  applies: (site) => weightKind(site) === 'depthwise',
  wants: () => ({ layouts: ['channels', 'channels'], clean: true }),
  emit(e, [dy, x], site) {
    const { kernel, strides, dilations, padsBefore } = geometryOf(site);
    const [dyShape, xShape] = [storedShape(site, 0), storedShape(site, 1)];
    const filters = dyShape[0]! * dyShape[1]!;
    const after = kernel.map(
      (k, i) => dilations[i]! * (k - 1) + strides[i]! * (dyShape[i + 2]! - 1) + 1 - xShape[i + 2]! - padsBefore[i]!,
    );
    const attributes = {
      kernel_shape: dyShape.slice(2),
      strides: dilations,
      dilations: strides,
      pads: [...padsBefore, ...after.map((p) => Math.max(0, p))],
      group: filters,
    };
    const image = e.reshape(x!, [1, filters, ...xShape.slice(2)]);
    const filter = e.reshape(dy!, [filters, 1, ...dyShape.slice(2)]);
    const taps = e.nchwc('Conv', [image, filter], attributes);
    // Where windows do not reach X's last pixels there are more taps than the kernel has.
    const made = kernel.map((k, i) => (after[i]! < 0 ? Math.floor(-after[i]! / dilations[i]!) + k : k));
    const blocks = dyShape[1]! / site.block;
    let perImage = e.reshape(taps, [dyShape[0]!, blocks, ...made, site.block]);
    if (after.some((p) => p < 0)) perImage = e.slice(perImage, [0, 0], kernel, [2, 3]);
    const sum = e.sum(perImage, [0]);
    return [blockedForm(e.reshape(sum, [dyShape[1]!, 1, ...kernel]), 'outputs')];
  },
};

/**
 * Pointwise, where the pixels of an image are whole blocks: the larger of dY and X is read where it lies, for
 * [N, Op/B, HW, B] is also the weight [Op, HW] of a pointwise convolution over HW channels, one group an image.
 * Only the smaller one is rearranged, to such an image of HW channels and as many pixels as it has channels.
 */
const pointwiseOverPixels: BlockedLowering = {
  name: 'nchwc.Conv over pixels, one group an image',
  applies: (site) => isPointwiseDense(site) && product(site.shapes[0]!.slice(2)) % site.block === 0,
  suits: (site) => !hasSmallMaps(site),
  wants: () => ({ layouts: ['channels', 'channels'], clean: true }),
  emit(e, [dy, x], site) {
    const [n, outputs, ...sides] = storedShape(site, 0) as [number, number, ...number[]];
    const inputs = storedShape(site, 1)[1]!;
    const [pixels, { block }] = [product(sides), site];
    const isDyLarger = outputs >= inputs;
    const ofX = subsampled(e, x!, site);
    const [larger, rows] = isDyLarger ? [dy!, outputs] : [ofX, inputs];
    const [smaller, columns] = isDyLarger ? [ofX, inputs] : [dy!, outputs];
    const pixelRows = e.nchwc('ReorderOutput', [smaller], { channels: columns, channels_last: 1 });
    const image = e.nchwc('ReorderInput', [e.reshape(pixelRows, [n, pixels, 1, columns])]);
    const perImage = e.nchwc(
      'Conv',
      [e.reshape(image, [1, n * pixels, 1, columns]), e.reshape(larger, [n * rows, pixels, 1, 1])],
      { kernel_shape: [1, 1], group: n },
    );
    // [rows / B, columns, B]: with dY as the larger, the dense form as it is.
    const sum = e.sum(e.reshape(perImage, [n, rows * columns]), [0]);
    const packed = isDyLarger ? sum : e.rearrange(sum, [rows / block, columns / block, block, block], [1, 0, 3, 2]);
    return [blockedForm(e.reshape(packed, [outputs, inputs, 1, 1]), 'dense')];
  },
};

/** One product an image, [Op, HW] times [HW, Cp], for pointwise convolutions. */
const pointwisePerImage: BlockedLowering = {
  name: 'one product an image',
  applies: isPointwiseDense,
  wants: () => ({ layouts: ['channels', 'channels'], clean: true }),
  emit(e, [dy, x], site) {
    const rows = planes(e, dy!, storedShape(site, 0));
    const columns = planes(e, subsampled(e, x!, site), subsampledShape(site));
    return [denseForm(e, productPerImage(e, rows, columns), site)];
  },
};

/** One product for all pixels, [Op, N HW] times [N HW, Cp]: better where maps are small. */
const pointwiseAtOnce: BlockedLowering = {
  name: 'one product for all pixels',
  applies: isPointwiseDense,
  suits: hasSmallMaps,
  wants: () => ({ layouts: ['channels', 'channels'], clean: true }),
  emit(e, [dy, x], site) {
    const pixelRows = (name: string, shape: readonly number[]): string =>
      e.reshape(e.nchwc('ReorderOutput', [name], { channels: shape[1]!, channels_last: 1 }), [
        shape[0]! * shape[2]! * shape[3]!,
        shape[1]!,
      ]);
    const rows = pixelRows(dy!, storedShape(site, 0));
    const columns = pixelRows(subsampled(e, x!, site), subsampledShape(site));
    return [denseForm(e, e.op('Gemm', [rows, columns], { transA: 1 }), site)];
  },
};

/**
 * Stride 1: X in kW copies moved by columns, dY in kH copies moved by rows, and one product that holds all
 * kH kW taps: kW + kH copies where unfolding makes kH kW.
 */
function shifted(name: string, atOnce: boolean): BlockedLowering {
  return {
    name,
    applies: (site) => weightKind(site) === 'dense' && shiftPads(site) !== undefined,
    suits: (site) => atOnce && hasSmallMaps(site),
    wants: () => ({ layouts: ['channels', 'channels'], clean: true }),
    emit(e, [dy, x], site) {
      const { kernel, dilations } = geometryOf(site);
      const [height, width] = kernel as [number, number];
      const [dyShape, xShape] = [storedShape(site, 0), storedShape(site, 1)];
      const pads = shiftPads(site)!;
      const columns = e.op(
        'Conv',
        [e.nchwc('ReorderOutput', [x!], { channels: xShape[1]! }), shifts(e, xShape[1]!, width, 'columns')],
        {
          kernel_shape: [1, width],
          dilations: [1, dilations[1]!],
          pads: [0, pads.left, 0, pads.right],
          group: xShape[1]!,
        },
      );
      const rows = e.op(
        'Conv',
        [e.nchwc('ReorderOutput', [dy!], { channels: dyShape[1]! }), shifts(e, dyShape[1]!, height, 'rows')],
        {
          kernel_shape: [height, 1],
          dilations: [dilations[0]!, 1],
          pads: [pads.top, 0, pads.bottom, 0],
          group: dyShape[1]!,
        },
      );
      const pixels = xShape[2]! * dyShape[3]!;
      const left = e.reshape(rows, [dyShape[0]!, dyShape[1]! * height, pixels]);
      const right = e.reshape(columns, [xShape[0]!, xShape[1]! * width, pixels]);
      const all = atOnce
        ? productAtOnce(e, left, [dyShape[0]!, dyShape[1]! * height, pixels], right, [
            xShape[0]!,
            xShape[1]! * width,
            pixels,
          ])
        : productPerImage(e, left, right);
      const [outputs, inputs] = [dyShape[1]! / site.block, xShape[1]! / site.block];
      const packed = e.rearrange(all, [outputs, site.block, height, inputs, site.block, width], [0, 3, 2, 5, 4, 1]);
      return [blockedForm(e.reshape(packed, [dyShape[1]!, xShape[1]!, height, width]), 'dense')];
    },
  };
}

/** X unfolded to one channel a tap by a depthwise convolution of ones: for every stride and dilation. */
function unfolded(name: string, atOnce: boolean): BlockedLowering {
  return {
    name,
    applies: (site) => weightKind(site) === 'dense' && !isPointwiseDense(site),
    suits: (site) => atOnce && hasSmallMaps(site) && shiftPads(site) === undefined,
    wants: () => ({ layouts: ['channels', 'channels'], clean: true }),
    emit(e, [dy, x], site) {
      const { kernel } = geometryOf(site);
      const [dyShape, xShape] = [storedShape(site, 0), storedShape(site, 1)];
      const taps = product(kernel);
      const pixels = dyShape[2]! * dyShape[3]!;
      const columns = unfold(e, e.nchwc('ReorderOutput', [x!], { channels: xShape[1]! }), xShape[1]!, site);
      const left = planes(e, dy!, dyShape);
      const right = e.reshape(columns, [xShape[0]!, xShape[1]! * taps, pixels]);
      const all = atOnce
        ? productAtOnce(e, left, [dyShape[0]!, dyShape[1]!, pixels], right, [xShape[0]!, xShape[1]! * taps, pixels])
        : productPerImage(e, left, right);
      const [outputs, inputs] = [dyShape[1]! / site.block, xShape[1]! / site.block];
      const packed = e.rearrange(all, [outputs, site.block, inputs, site.block, ...kernel], [0, 2, 4, 5, 3, 1]);
      return [blockedForm(e.reshape(packed, [dyShape[1]!, xShape[1]!, ...kernel]), 'dense')];
    },
  };
}

/** The weight of a convolution on a few plain channels: these are unfolded where they are. */
const stem: BlockedLowering = {
  name: 'one product an image, X unfolded',
  applies: (site) => weightKind(site) === 'stem',
  wants: () => ({ layouts: ['channels', 'plain'], clean: true }),
  emit(e, [dy, x], site) {
    const { kernel } = geometryOf(site);
    const [dyShape, inputs] = [storedShape(site, 0), site.shapes[1]![1]!];
    const taps = product(kernel);
    const columns = unfold(e, x!, inputs, site);
    const right = e.reshape(columns, [dyShape[0]!, inputs * taps, dyShape[2]! * dyShape[3]!]);
    const all = productPerImage(e, planes(e, dy!, dyShape), right);
    const packed = e.rearrange(all, [dyShape[1]! / site.block, site.block, inputs, ...kernel], [0, 2, 3, 4, 1]);
    return [blockedForm(e.reshape(packed, [dyShape[1]!, inputs, ...kernel]), 'outputs')];
  },
};

function weightKind(site: BlockedSite) {
  const shape = attribute(site.node, 'weight_shape', 'ints');
  if (site.shapes[1]!.length !== 4) return undefined;
  const { group } = geometryOf(site);
  const kind = blockedKind(site.shapes[1]![1]!, shape, group, site.block);
  return kind === 'dense' && group > 1 ? undefined : kind;
}

const geometryOf = (site: BlockedSite): ConvolutionGeometry =>
  convolutionGeometry(site.node, attribute(site.node, 'weight_shape', 'ints'));

function isPointwiseDense(site: BlockedSite): boolean {
  const geometry = geometryOf(site);
  return weightKind(site) === 'dense' && isPointwise({ ...geometry, strides: [1, 1] });
}

/** Where a product an image would make more numbers than it reads, to be summed afterwards. */
function hasSmallMaps(site: BlockedSite): boolean {
  const [, outputs, ...sides] = storedShape(site, 0) as [number, number, ...number[]];
  const inputs = storedShape(site, 1)[1]! * product(geometryOf(site).kernel);
  return (outputs * inputs) / (outputs + inputs) > product(sides);
}

const storedShape = (site: BlockedSite, input: number): number[] => channels(site).storedShape(site.shapes[input]!);

/** X's pixels that windows of one pixel look at. */
function subsampled(e: Emitter, x: string, site: BlockedSite): string {
  const { strides } = geometryOf(site);
  if (strides.every((s) => s === 1)) return x;
  const shape = site.shapes[1]!;
  const kept = e.slice(asView(e, x, shape, channels(site)), [0, 0], shape.slice(2), [2, 3], strides);
  return asStored(e, kept, subsampledShape(site), channels(site));
}

function subsampledShape(site: BlockedSite): number[] {
  return [...storedShape(site, 1).slice(0, 2), ...site.shapes[0]!.slice(2)];
}

/** A blocked tensor as [N, Cp, HW]. */
function planes(e: Emitter, x: string, stored: readonly number[]): string {
  const plain = e.nchwc('ReorderOutput', [x], { channels: stored[1]! });
  return e.reshape(plain, [stored[0]!, stored[1]!, stored[2]! * stored[3]!]);
}

/** sum over n of a[n] b[n]^T, one product an image. */
function productPerImage(e: Emitter, a: string, b: string): string {
  return e.sum(e.microsoft('FusedMatMul', [a, b], { transB: 1 }), [0]);
}

/** The same as one product over the pixels of all images. */
function productAtOnce(e: Emitter, a: string, aShape: readonly number[], b: string, bShape: readonly number[]): string {
  const inRow = (name: string, [n, rows, pixels]: readonly number[]): string =>
    e.reshape(e.transpose(name, [1, 0, 2]), [rows!, n! * pixels!]);
  return e.op('Gemm', [inRow(a, aShape), inRow(b, bShape)], { transB: 1 });
}

/** [Op, Cp] as the weight of a pointwise convolution. */
function denseForm(e: Emitter, matrix: string, site: BlockedSite) {
  const [outputs, inputs] = [storedShape(site, 0)[1]!, storedShape(site, 1)[1]!];
  const split = [outputs / site.block, site.block, inputs / site.block, site.block];
  return blockedForm(e.reshape(e.rearrange(matrix, split, [0, 2, 3, 1]), [outputs, inputs, 1, 1]), 'dense');
}

/** Plain X [N, C, H, W] to [N, C kH kW, Ho, Wo]: channel c k is what tap k of channel c sees. */
function unfold(e: Emitter, x: string, inputs: number, site: BlockedSite): string {
  const { kernel, strides, dilations, padsBefore, padsAfter } = geometryOf(site);
  const taps = product(kernel);
  const select = e.filled([inputs * taps, 1, ...kernel], (i) => (i % taps === Math.floor(i / taps) % taps ? 1 : 0));
  return e.op('Conv', [x, select], {
    kernel_shape: kernel,
    strides,
    dilations,
    pads: [...padsBefore, ...padsAfter],
    group: inputs,
  });
}

/** A depthwise filter that copies each channel once a tap; for rows the taps run backwards, as they move dY. */
function shifts(e: Emitter, count: number, taps: number, along: 'rows' | 'columns'): string {
  const shape = along === 'rows' ? [count * taps, 1, taps, 1] : [count * taps, 1, 1, taps];
  return e.filled(shape, (i) => {
    const copy = Math.floor(i / taps) % taps;
    return i % taps === (along === 'rows' ? taps - 1 - copy : copy) ? 1 : 0;
  });
}

/** Padding of both shifts, or undefined where the form does not apply. */
function shiftPads(site: BlockedSite): { left: number; right: number; top: number; bottom: number } | undefined {
  const geometry = geometryOf(site);
  if (geometry.strides.some((s) => s !== 1) || isPointwise(geometry)) return undefined;
  const [extent] = extents(geometry) as [number];
  const [height, outputHeight] = [site.shapes[1]![2]!, site.shapes[0]![2]!];
  // Row h of X meets row h + p - d k of dY.
  const top = extent - 1 - geometry.padsBefore[0]!;
  const bottom = height - outputHeight - top + extent - 1;
  if (top < 0 || bottom < 0) return undefined;
  return { left: geometry.padsBefore[1]!, right: geometry.padsAfter[1]!, top, bottom };
}

export const blockedWeightGradients = {
  ConvGradWeight: [
    depthwise,
    pointwiseOverPixels,
    pointwisePerImage,
    pointwiseAtOnce,
    shifted('one product an image, X and dY shifted', false),
    shifted('one product for all pixels, X and dY shifted', true),
    unfolded('one product an image, X unfolded', false),
    unfolded('one product for all pixels, X unfolded', true),
    stem,
  ],
} satisfies Record<string, readonly BlockedLowering[]>;
