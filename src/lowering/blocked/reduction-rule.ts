import { toNumbers } from '../../core/tensor.ts';
import { attribute, ONNX_DOMAIN, type Node } from '../../onnx/graph.ts';
import { Emitter, product } from '../emitter.ts';
import { Layout } from '../layout.ts';
import type { Arrangement, ArrangementRule } from './arrangement.ts';
import { imageDots, imageSums, trueChannels } from './channel-sums.ts';
import { sameShape } from './preferences.ts';

/**
 * ReduceSum and ReduceMean over whole images (or over all that belongs to one output of a weight), by the
 * engine's blocked ops. The sum of a product never makes the product.
 */
export const reductionRule: ArrangementRule = (node, a) => {
  if (node.domain !== ONNX_DOMAIN || !['ReduceSum', 'ReduceMean'].includes(node.opType)) return false;
  const shape = a.shapeOf(node.inputs[0]!);
  const axes = reducedAxes(node, a, shape?.length ?? 0);
  if (shape?.length !== 4 || axes === undefined) return false;
  const factors = productFactors(node, a);
  const layoutName = factors.map((factor) => a.forms.blockedLayout(factor)).find((name) => name !== undefined);
  if (layoutName === undefined) return false;
  const layout = a.forms.layout(layoutName);
  // Sides of 1 may be left out of the axes, or be among them.
  const reduces = (wanted: readonly number[]): boolean =>
    shape.every((side, axis) => side === 1 || axes.includes(axis) === wanted.includes(axis));
  const isWeight = layoutName !== 'channels';
  const overImage = reduces([2, 3]);
  const overAll = reduces([0, 2, 3]);
  if (isWeight ? !reduces([1, 2, 3]) : !overImage && !overAll) return false;

  const e = new Emitter(a.builder, node.name);
  // A weight is an image whose channels are its outputs.
  const stored = layout.storedShape(shape);
  const imageShape = isWeight ? [1, shape[0]!, 1, product(stored.slice(1))] : shape;
  const image = (value: string): string => {
    // Padded input channels of a weight are summed too.
    const held = a.forms.get(value, layoutName, isWeight);
    return isWeight ? e.reshape(held, [1, stored[0]!, 1, imageShape[3]!]) : held;
  };
  const blocks = new Layout('channels', layout.block);
  const sums =
    factors.length === 2
      ? imageDots(e, image(factors[0]!), image(factors[1]!), imageShape, blocks)
      : imageSums(e, image(factors[0]!), imageShape, blocks);
  const count = product(axes.map((axis) => shape[axis]!));
  const scaled = node.opType === 'ReduceMean' ? e.mul(sums, e.scalar(1 / count)) : sums;
  const output = node.outputs[0]!;
  const outputShape = a.shapeOf(output)!;
  if (isWeight || overAll) {
    const vector = trueChannels(e, e.sum(scaled, [0]), shape[isWeight ? 0 : 1]!, blocks);
    a.declare(output, { name: e.reshape(vector, outputShape), layout: 'plain', clean: true });
    return true;
  }
  const [n, storedChannels] = layout.storedShape(shape) as [number, number];
  if (outputShape.length === 4) {
    const name = e.reshape(scaled, [n, storedChannels, 1, 1]);
    const clean = factors.some((factor) => a.forms.isClean(factor, layoutName));
    a.declare(output, { name, layout: 'channels', clean });
  } else {
    const cut = layout.isExact(shape) ? scaled : e.slice(scaled, [0], [shape[1]!], [1]);
    a.declare(output, { name: cut, layout: 'plain', clean: true });
  }
  return true;
};

/** The factors of the product that is summed, where it is one of equal shapes; else the summed value alone. */
function productFactors(node: Node, a: Arrangement): string[] {
  const value = node.inputs[0]!;
  const maker = a.producer(value);
  const isProduct =
    maker?.opType === 'Mul' &&
    maker.domain === ONNX_DOMAIN &&
    maker.inputs.every((factor) => sameShape(a.shapeOf(factor), a.shapeOf(value)));
  return isProduct ? [...maker.inputs] : [value];
}

/** Ascending, or undefined where they are not known before the run. */
function reducedAxes(node: Node, a: Arrangement, rank: number): number[] | undefined {
  const given = node.inputs[1];
  if (given === undefined || given === '') {
    const noop = attribute(node, 'noop_with_empty_axes', 'int', 0) === 1;
    return noop ? undefined : Array.from({ length: rank }, (_, axis) => axis);
  }
  const constant = a.constant(given);
  if (constant === undefined) return undefined;
  return toNumbers(constant)
    .map((axis) => (axis < 0 ? axis + rank : axis))
    .toSorted((x, y) => x - y);
}
