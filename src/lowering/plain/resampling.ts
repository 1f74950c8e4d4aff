import { tensor } from '../../core/tensor.ts';
import { attribute } from '../../onnx/graph.ts';
import { product, type Emitter } from '../emitter.ts';
import { interpolationMatrix } from '../interpolation.ts';
import { always, type Lowering, type Site } from '../lowering.ts';
import { averageMatrix } from '../pooling-windows.ts';

/**
 * Gradients of ops that are linear along each axis on its own, as one matrix product an axis: with
 * Y = A_h X A_w^T, dX = A_h^T dY A_w.
 */

/** The forward matrix [outputSide, inputSide] of one axis of X, or undefined where the axis stays as it is. */
export type AxisMatrix = (axis: number) => Float64Array | undefined;

export function resizeMatrices(site: Site): AxisMatrix {
  const inputShape = attribute(site.node, 'input_shape', 'ints');
  const scales = attribute(site.node, 'scales', 'floats');
  return (axis) => {
    const [inputSide, outputSide, scale] = [inputShape[axis]!, site.shapes[0]![axis]!, scales[axis]!];
    if (inputSide === outputSide && scale === 1) return undefined;
    return interpolationMatrix(site.node, { inputSide, outputSide, scale });
  };
}

export function averagePoolMatrices(site: Site): AxisMatrix {
  const inputShape = attribute(site.node, 'input_shape', 'ints');
  return (axis) =>
    axis < 2 ? undefined : averageMatrix(site.node, axis - 2, inputShape[axis]!, site.shapes[0]![axis]!);
}

/**
 * Multiplies axis after axis of `x` by the transposed matrix. Axis `a` of a tensor is the middle of
 * [before, side, after]; a product from the left does all of `after` at once.
 */
export function applyTransposed(
  e: Emitter,
  x: string,
  shape: readonly number[],
  matrices: readonly { readonly axis: number; readonly side: number; readonly matrix: Float64Array }[],
): string {
  let current = x;
  const sides = [...shape];
  for (const { axis, side, matrix } of matrices) {
    const from = sides[axis]!;
    const [before, after] = [product(sides.slice(0, axis)), product(sides.slice(axis + 1))];
    if (after === 1) {
      // [before, from] times [from, side]
      const right = e.constant(tensor('float32', [from, side], Float32Array.from(matrix)));
      current = e.op('MatMul', [e.reshape(current, [before, from]), right]);
    } else {
      const left = Float32Array.from(
        { length: matrix.length },
        (_, i) => matrix[(i % from) * side + Math.floor(i / from)]!,
      );
      current = e.op('MatMul', [
        e.constant(tensor('float32', [side, from], left)),
        e.reshape(current, [before, from, after]),
      ]);
    }
    sides[axis] = side;
  }
  return e.reshape(current, sides);
}

function separable(name: string, matricesOf: (site: Site) => AxisMatrix): Lowering {
  return {
    name,
    applies: always,
    emit(e, [dy], site) {
      const inputShape = attribute(site.node, 'input_shape', 'ints');
      const matrixOf = matricesOf(site);
      const matrices = inputShape.flatMap((side, axis) => {
        const matrix = matrixOf(axis);
        return matrix === undefined ? [] : [{ axis, side, matrix }];
      });
      return [applyTransposed(e, dy!, site.shapes[0]!, matrices)];
    },
  };
}

export const resamplingLowerings = {
  ResizeGrad: [separable('a product an axis', resizeMatrices)],
  AveragePoolGrad: [separable('a product an axis', averagePoolMatrices)],
};
