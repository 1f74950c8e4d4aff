import { zeros } from '../../core/tensor.ts';
import { attribute } from '../../onnx/graph.ts';
import { convolutionGeometry } from '../convolution-geometry.ts';
import { product } from '../emitter.ts';
import { always, type Lowering } from '../lowering.ts';

/** Gradients of MaxPool and GlobalAveragePool. AveragePool's is in resampling.ts. X [N, C, ...]. */

/** MaxPool's second output says where in X each maximum was (the first of equals): dY is added there. */
const scatterAtMaxima: Lowering = {
  name: 'ScatterElements at the maxima',
  applies: always,
  emit(e, [dy, x], site) {
    const shape = site.shapes[1]!;
    const { kernel, strides, dilations, padsBefore, padsAfter } = convolutionGeometry(site.node, []);
    const [, indices] = e.ops(
      'MaxPool',
      [x!],
      {
        kernel_shape: kernel,
        strides,
        dilations,
        pads: [...padsBefore, ...padsAfter],
        ceil_mode: attribute(site.node, 'ceil_mode', 'int', 0),
      },
      2,
    );
    const flat = product(site.shapes[0]!);
    const empty = e.op('ConstantOfShape', [e.ints([product(shape)])], {
      value: { kind: 'tensor', value: zeros('float32', [1]) },
    });
    const scattered = e.op('ScatterElements', [empty, e.reshape(indices!, [flat]), e.reshape(dy!, [flat])], {
      axis: 0,
      reduction: 'add',
    });
    return [e.reshape(scattered, shape)];
  },
};

// dX = dY / (H W), the same for every pixel
const spread: Lowering = {
  name: 'Expand',
  applies: always,
  emit(e, [dy], site) {
    const shape = attribute(site.node, 'input_shape', 'ints');
    const share = e.mul(dy!, e.scalar(1 / product(shape.slice(2))));
    return [e.op('Expand', [share, e.ints(shape)])];
  },
};

export const poolingLowerings = {
  MaxPoolGrad: [scatterAtMaxima],
  GlobalAveragePoolGrad: [spread],
};
