import { dataTypeCode } from '../../onnx/data-types.ts';
import { product } from '../emitter.ts';
import { inside, isBetween } from '../plain/activations.ts';
import { blockedForm, channels, whereBlocked, type BlockedLowering } from './blocked-lowering.ts';

/** Numbers below which a tensor stays in the cache, where the ways with more passes are faster. */
const LARGE = 2 ** 21;

/**
 * d clip(x) = [min < x < max] dy with a mask of bytes. DequantizeLinear with a scale for every element multiplies
 * bytes by numbers: it reads a quarter of what a mask of numbers takes, and that mask need not be made.
 */
const clipOfBytes: BlockedLowering = {
  name: 'comparisons, mask of bytes',
  applies: (site) =>
    whereBlocked(site) &&
    isBetween(site.node) &&
    product(site.shapes[0]!) >= LARGE &&
    site.shapes[0]![1]! % site.block === 0,
  wants: (site) => ({ layouts: [channels(site).name, channels(site).name] }),
  emit(e, [dy, x], { node }) {
    const mask = e.op('Cast', [inside(e, x!, node)], { to: dataTypeCode('uint8') });
    return [blockedForm(e.op('DequantizeLinear', [mask, dy!], { axis: 0, block_size: 1 }))];
  },
};

export const blockedActivations = {
  ClipGrad: [clipOfBytes],
} satisfies Record<string, readonly BlockedLowering[]>;
