import { attribute } from '../../onnx/graph.ts';
import { convolutionGeometry, extents, isPointwise, type ConvolutionGeometry } from '../convolution-geometry.ts';
import { product, range, type Emitter } from '../emitter.ts';
import { always, type Lowering, type Site } from '../lowering.ts';

/**
 * Gradients of convolutions in standard ops, for any number of spatial axes, stride, padding,
 * dilation and group. Shapes: X [N, C, ...H], W [O, C/g, ...k], Y [N, O, ...Ho].
 */

/** dX as ConvTranspose: its weight has the layout of W as it is. */
const transposedConvolution: Lowering = {
  name: 'ConvTranspose',
  applies: always,
  emit(e, [dy, w], site) {
    const geometry = inputGeometry(site);
    const inputSides = attribute(site.node, 'input_shape', 'ints').slice(2);
    return [transposeConvolve(e, dy!, w!, geometry, inputSides, site.shapes[0]!.slice(2))];
  },
};

/** dX at stride 1 as Conv of dY with the weight turned around: faster where Conv is better kept than ConvTranspose. */
const flippedConvolution: Lowering = {
  name: 'Conv with flipped weights',
  applies(site) {
    const { strides, padsBefore, ...rest } = inputGeometry(site);
    return strides.every((s) => s === 1) && extents(rest).every((extent, i) => extent - 1 >= padsBefore[i]!);
  },
  emit(e, [dy, w], site) {
    const { kernel, dilations, padsBefore, group } = inputGeometry(site);
    const sides = attribute(site.node, 'input_shape', 'ints').slice(2);
    const weight = flipAndTranspose(e, w!, site.shapes[1]!, group);
    const outputSides = site.shapes[0]!.slice(2);
    const before = extents({ kernel, dilations }).map((extent, i) => extent - 1 - padsBefore[i]!);
    const after = extents({ kernel, dilations }).map(
      (extent, i) => sides[i]! - outputSides[i]! - before[i]! + extent - 1,
    );
    // Where padding after X was larger than the window, its last outputs saw no pixel.
    const kept = after.some((p) => p < 0)
      ? e.slice(
          dy!,
          after.map(() => 0),
          outputSides.map((side, i) => side + Math.min(0, after[i]!)),
          range(2, 2 + kernel.length),
        )
      : dy!;
    const pads = [...before, ...after.map((p) => Math.max(0, p))];
    return [e.op('Conv', [kept, weight], { kernel_shape: kernel, dilations, pads, group })];
  },
};

/**
 * dW as Conv with batch and channels exchanged: X as [C/g, g N, ...H], dY as a filter [O, N, ...Ho]
 * whose dilation is the stride, giving [C/g, O, ...k].
 */
const batchAsChannels: Lowering = {
  name: 'Conv with the batch as channels',
  applies: always,
  emit(e, [dy, x], site) {
    const weightShape = attribute(site.node, 'weight_shape', 'ints');
    const { kernel, strides, dilations, padsBefore, group } = convolutionGeometry(site.node, weightShape);
    const [outputShape, inputShape] = [site.shapes[0]!, site.shapes[1]!];
    const [n, channels] = [inputShape[0]!, inputShape[1]!];
    const spatial = range(2, inputShape.length);
    const sides = inputShape.slice(2);
    const outputSides = outputShape.slice(2);
    let input: string;
    if (group === 1) input = e.transpose(x!, [1, 0, ...spatial]);
    else {
      const grouped = e.reshape(x!, [n, group, channels / group, ...sides]);
      const turned = e.transpose(grouped, [2, 1, 0, ...spatial.map((axis) => axis + 1)]);
      input = e.reshape(turned, [channels / group, group * n, ...sides]);
    }
    const filter = e.transpose(dy!, [1, 0, ...spatial]);
    // Padding after X such that the output has exactly k taps; windows may not reach X's last pixels.
    const after = kernel.map(
      (k, i) => dilations[i]! * (k - 1) + strides[i]! * (outputSides[i]! - 1) + 1 - sides[i]! - padsBefore[i]!,
    );
    const result = e.op('Conv', [input, filter], {
      kernel_shape: outputSides,
      strides: dilations,
      dilations: strides,
      pads: [...padsBefore, ...after.map((p) => Math.max(0, p))],
      group,
    });
    const cut = after.some((p) => p < 0)
      ? e.slice(
          result,
          kernel.map(() => 0),
          kernel,
          spatial,
        )
      : result;
    return [e.transpose(cut, [1, 0, ...spatial])];
  },
};

/** dW of a pointwise convolution: dY [N, O, HW] times X [N, HW, C], summed over the batch. */
const pointwiseProduct: Lowering = {
  name: 'MatMul over pixels',
  applies(site) {
    const geometry = convolutionGeometry(site.node, attribute(site.node, 'weight_shape', 'ints'));
    return geometry.group === 1 && isPointwise(geometry);
  },
  emit(e, [dy, x], site) {
    const weightShape = attribute(site.node, 'weight_shape', 'ints');
    const gradient = pixelProduct(e, dy!, site.shapes[0]!, x!, site.shapes[1]!);
    return [e.reshape(gradient, weightShape)];
  },
};

/** dW of a dense convolution: X unfolded to one channel a tap by a depthwise Conv of ones, then a matrix product. */
const unfoldedProduct: Lowering = {
  name: 'MatMul over unfolded windows',
  applies: (site) => convolutionGeometry(site.node, attribute(site.node, 'weight_shape', 'ints')).group === 1,
  emit(e, [dy, x], site) {
    const weightShape = attribute(site.node, 'weight_shape', 'ints');
    const { kernel, strides, dilations, padsBefore, padsAfter } = convolutionGeometry(site.node, weightShape);
    const [outputShape, inputShape] = [site.shapes[0]!, site.shapes[1]!];
    const [channels, taps] = [inputShape[1]!, product(kernel)];
    const select = e.filled([channels * taps, 1, ...kernel], (i) => (i % taps === Math.floor(i / taps) % taps ? 1 : 0));
    const unfolded = e.op('Conv', [x!, select], {
      kernel_shape: kernel,
      strides,
      dilations,
      pads: [...padsBefore, ...padsAfter],
      group: channels,
    });
    const gradient = pixelProduct(e, dy!, outputShape, unfolded, [
      inputShape[0]!,
      channels * taps,
      ...outputShape.slice(2),
    ]);
    return [e.reshape(gradient, weightShape)];
  },
};

export const convolutionLowerings = {
  ConvGradInput: [flippedConvolution, transposedConvolution],
  ConvGradWeight: [pointwiseProduct, batchAsChannels, unfoldedProduct],
};

function inputGeometry(site: Site): ConvolutionGeometry {
  return convolutionGeometry(site.node, site.shapes[1]!);
}

/** sum over n and pixels of a[n, i, p] b[n, j, p]: [I, J] */
function pixelProduct(e: Emitter, a: string, aShape: readonly number[], b: string, bShape: readonly number[]): string {
  const pixels = product(aShape.slice(2));
  const left = e.reshape(a, [aShape[0]!, aShape[1]!, pixels]);
  const right = e.reshape(b, [bShape[0]!, bShape[1]!, pixels]);
  return e.sum(e.op('MatMul', [left, e.transpose(right, [0, 2, 1])]), [0]);
}

/** W [O, C/g, ...k] as the weight of the reverse convolution [C, O/g, ...k], taps reversed. */
function flipAndTranspose(e: Emitter, w: string, shape: readonly number[], group: number): string {
  const [outputs, inputs, ...kernel] = shape as [number, number, ...number[]];
  const spatial = range(2, shape.length);
  const moving = spatial.filter((axis) => shape[axis]! > 1);
  const flipped = moving.length === 0 ? w : e.flip(w, moving);
  if (group === 1) return e.transpose(flipped, [1, 0, ...spatial]);
  if (inputs === 1 && outputs === group) return flipped;
  const grouped = e.reshape(flipped, [group, outputs / group, inputs, ...kernel]);
  const turned = e.transpose(grouped, [0, 2, 1, ...spatial.map((axis) => axis + 1)]);
  return e.reshape(turned, [group * inputs, outputs / group, ...kernel]);
}

/** ConvTranspose from `outputSides` back to `inputSides`, whatever the padding was. */
function transposeConvolve(
  e: Emitter,
  dy: string,
  w: string,
  { kernel, strides, dilations, padsBefore, group }: ConvolutionGeometry,
  inputSides: readonly number[],
  outputSides: readonly number[],
): string {
  const covered = extents({ kernel, dilations }).map(
    (extent, i) => strides[i]! * (outputSides[i]! - 1) + extent - padsBefore[i]!,
  );
  return e.op('ConvTranspose', [dy, w], {
    kernel_shape: kernel,
    strides,
    dilations,
    pads: [...padsBefore, ...covered.map((side, i) => Math.max(0, side - inputSides[i]!))],
    output_padding: covered.map((side, i) => Math.max(0, inputSides[i]! - side)),
    group,
  });
}
