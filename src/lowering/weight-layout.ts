import { sizeOf, type Tensor } from '../core/tensor.ts';
import { Layout, type LayoutName } from './layout.ts';

/** How a parameter lies in a lowered graph, whose input of that name and gradient have `packedShape`. */
export interface WeightLayout {
  /** `plain`, or the blocked layout's name. */
  readonly name: 'plain' | LayoutName;
  /** The parameter's own shape. */
  readonly shape: readonly number[];
  readonly packedShape: readonly number[];
  /** From the parameter's own shape to the packed one; padding is zero. @throws RangeError for another shape. */
  pack(value: Tensor): Tensor;
  /** Back again. @throws RangeError for another shape. */
  unpack(value: Tensor): Tensor;
}

export function plainWeightLayout(shape: readonly number[]): WeightLayout {
  const same = (value: Tensor): Tensor => expectShape(value, shape);
  return { name: 'plain', shape, packedShape: shape, pack: same, unpack: same };
}

export function blockedWeightLayout(layout: Layout, shape: readonly number[]): WeightLayout {
  const packedShape = layout.storedShape(shape);
  return {
    name: layout.name,
    shape,
    packedShape,
    pack: (value) => layout.pack(expectShape(value, shape)),
    unpack: (value) => layout.unpack(expectShape(value, packedShape), shape),
  };
}

function expectShape(value: Tensor, shape: readonly number[]): Tensor {
  if (value.shape.length !== shape.length || value.shape.some((side, i) => side !== shape[i]))
    throw new RangeError(
      `A parameter of shape [${shape}] (${sizeOf(shape)} elements) was expected, got [${value.shape}].`,
    );
  return value;
}
