import { float32, toNumbers, zeros } from '../../core/tensor.ts';
import { attribute } from '../../onnx/graph.ts';
import { product } from '../emitter.ts';
import { always, type Lowering, type Site } from '../lowering.ts';

/** Gradient of Gather: dY, whose axis stands for the axes of `indices`, added at the indices. */

/** One known index (a class token, for instance): dY in place, zeros around it. */
const padAround: Lowering = {
  name: 'Pad',
  applies: (site) => site.constant(1)?.data.length === 1,
  emit(e, [dy], site) {
    const { axis, shape } = target(site);
    const given = toNumbers(site.constant(1)!)[0]!;
    const index = given < 0 ? given + shape[axis]! : given;
    const before = shape.map((_, i) => (i === axis ? index : 0));
    const after = shape.map((side, i) => (i === axis ? side - 1 - index : 0));
    return [e.pad(e.reshape(dy!, shape.with(axis, 1)), before, after)];
  },
};

const scatter: Lowering = {
  name: 'ScatterElements',
  applies: always,
  emit(e, [dy, indices], site) {
    const { axis, shape } = target(site);
    const count = product(site.shapes[1]!);
    const [before, after] = [product(shape.slice(0, axis)), product(shape.slice(axis + 1))];
    const places = e.op('Expand', [e.reshape(indices!, [1, count, 1]), e.ints([before, count, after])]);
    const empty = e.op('ConstantOfShape', [e.ints([before, shape[axis]!, after])], {
      value: { kind: 'tensor', value: zeros('float32', [1]) },
    });
    const values = e.reshape(dy!, [before, count, after]);
    const scattered = e.op('ScatterElements', [empty, places, values], { axis: 1, reduction: 'add' });
    return [e.reshape(scattered, shape)];
  },
};

/** A product with one-hot columns: for few indices into short axes it runs on all cores. */
const oneHotProduct: Lowering = {
  name: 'MatMul with OneHot',
  applies: always,
  emit(e, [dy, indices], site) {
    const { axis, shape } = target(site);
    const count = product(site.shapes[1]!);
    const [before, after] = [product(shape.slice(0, axis)), product(shape.slice(axis + 1))];
    const flat = e.reshape(indices!, [count]);
    const hot = e.op('OneHot', [flat, e.ints([shape[axis]!]), e.constant(float32([0, 1]))], { axis: 0 });
    return [e.reshape(e.op('MatMul', [hot, e.reshape(dy!, [before, count, after])]), shape)];
  },
};

function target(site: Site): { axis: number; shape: readonly number[] } {
  const shape = attribute(site.node, 'input_shape', 'ints');
  const axis = attribute(site.node, 'axis', 'int', 0);
  return { axis: axis < 0 ? axis + shape.length : axis, shape };
}

export const gatherLowerings = { GatherGrad: [padAround, scatter, oneHotProduct] };
