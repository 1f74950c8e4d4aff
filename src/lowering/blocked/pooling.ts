import { attribute } from '../../onnx/graph.ts';
import { convolutionGeometry } from '../convolution-geometry.ts';
import { product } from '../emitter.ts';
import { applyTransposed, averagePoolMatrices, resizeMatrices, type AxisMatrix } from '../plain/resampling.ts';
import {
  asStored,
  asView,
  blockedForm,
  channels,
  whereBlocked,
  type BlockedLowering,
  type BlockedSite,
} from './blocked-lowering.ts';

/** Pooling and its gradients on tensors in blocks. */

const withoutCeil = (site: BlockedSite): boolean => attribute(site.node, 'ceil_mode', 'int', 0) === 0;

function windowAttributes(site: BlockedSite) {
  const { kernel, strides, dilations, padsBefore, padsAfter } = convolutionGeometry(
    site.node,
    [],
    site.shapes[0]!.slice(2),
  );
  return { kernel_shape: kernel, strides, dilations, pads: [...padsBefore, ...padsAfter] };
}

const maxPool: BlockedLowering = {
  name: 'nchwc.MaxPool',
  applies: (site) => whereBlocked(site) && withoutCeil(site) && site.node.outputs.length === 1,
  wants: () => ({ layouts: ['channels'] }),
  emit: (e, [x], site) => [blockedForm(e.nchwc('MaxPool', [x!], windowAttributes(site)))],
};

const averagePool: BlockedLowering = {
  name: 'nchwc.AveragePool',
  applies: (site) => whereBlocked(site) && withoutCeil(site) && windowAttributes(site).dilations.every((d) => d === 1),
  wants: () => ({ layouts: ['channels'] }),
  emit: (e, [x], site) => {
    const { dilations: _, ...attributes } = windowAttributes(site);
    const count_include_pad = attribute(site.node, 'count_include_pad', 'int', 0);
    return [blockedForm(e.nchwc('AveragePool', [x!], { ...attributes, count_include_pad }))];
  },
};

const globalAveragePool: BlockedLowering = {
  name: 'nchwc.GlobalAveragePool',
  applies: whereBlocked,
  wants: () => ({ layouts: ['channels'] }),
  emit: (e, [x]) => [blockedForm(e.nchwc('GlobalAveragePool', [x!]))],
};

const globalMaxPool: BlockedLowering = {
  ...globalAveragePool,
  name: 'nchwc.GlobalMaxPool',
  emit: (e, [x]) => [blockedForm(e.nchwc('GlobalMaxPool', [x!]))],
};

// dX = dY / (H W), the same for every pixel
const spread: BlockedLowering = {
  name: 'Expand of the blocked view',
  applies: (site) => attribute(site.node, 'input_shape', 'ints').length === 4,
  wants: () => ({ layouts: ['channels'] }),
  emit(e, [dy], site) {
    const shape = attribute(site.node, 'input_shape', 'ints');
    const layout = channels(site);
    const share = e.mul(dy!, e.scalar(1 / product(shape.slice(2))));
    const view = e.reshape(share, layout.viewShape(site.shapes[0]!));
    return [blockedForm(asStored(e, e.op('Expand', [view, e.ints(layout.viewShape(shape))]), shape, layout))];
  },
};

/** One product for each of H and W, of the blocked view [N, C/B, H, W, B]. */
function separable(matricesOf: (site: BlockedSite) => AxisMatrix): BlockedLowering {
  return {
    name: 'a product an axis of the blocked view',
    applies: (site) => {
      const matrixOf = matricesOf(site);
      return whereBlocked(site) && matrixOf(0) === undefined && matrixOf(1) === undefined;
    },
    wants: () => ({ layouts: ['channels'] }),
    emit(e, [dy], site) {
      const shape = attribute(site.node, 'input_shape', 'ints');
      const layout = channels(site);
      const matrixOf = matricesOf(site);
      const matrices = [2, 3].flatMap((axis) => {
        const matrix = matrixOf(axis);
        return matrix === undefined ? [] : [{ axis, side: shape[axis]!, matrix }];
      });
      const view = asView(e, dy!, site.shapes[0]!, layout);
      const made = applyTransposed(e, view, layout.viewShape(site.shapes[0]!), matrices);
      return [blockedForm(asStored(e, made, shape, layout))];
    },
  };
}

export const blockedPooling = {
  MaxPool: [maxPool],
  AveragePool: [averagePool],
  GlobalAveragePool: [globalAveragePool],
  GlobalMaxPool: [globalMaxPool],
  GlobalAveragePoolGrad: [spread],
  AveragePoolGrad: [separable(averagePoolMatrices)],
  ResizeGrad: [separable(resizeMatrices)],
};
