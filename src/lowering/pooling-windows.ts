import { attribute, type Node } from '../onnx/graph.ts';
import { convolutionGeometry } from './convolution-geometry.ts';

/**
 * AveragePool along one axis as a matrix [outputSide, inputSide]: 1 where a window covers a pixel, over
 * the number of taps that count. The divisor of a window is the product over the axes, so the matrices
 * of all axes applied in turn are the pooling.
 */
export function averageMatrix(node: Node, axis: number, inputSide: number, outputSide: number): Float64Array {
  const { kernel, strides, dilations, padsBefore, padsAfter } = convolutionGeometry(node, []);
  const includePad = attribute(node, 'count_include_pad', 'int', 0) === 1;
  const matrix = new Float64Array(outputSide * inputSide);
  for (let o = 0; o < outputSide; o++) {
    const taps = Array.from(
      { length: kernel[axis]! },
      (_, k) => o * strides[axis]! - padsBefore[axis]! + k * dilations[axis]!,
    );
    const inside = taps.filter((i) => i >= 0 && i < inputSide);
    // With ceil_mode a window may reach past the padding: such taps never count.
    const counted = includePad ? taps.filter((i) => i < inputSide + padsAfter[axis]!).length : inside.length;
    for (const i of inside) matrix[o * inputSide + i] = 1 / counted;
  }
  return matrix;
}
