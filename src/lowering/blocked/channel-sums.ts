import { product, type Emitter } from '../emitter.ts';
import type { Layout } from '../layout.ts';
import { channels, plainForm, type BlockedLowering, type BlockedSite } from './blocked-lowering.ts';

/**
 * Sums over pixels and images of tensors in blocks, by the engine's blocked ops: a reduction over the
 * blocked view costs 5 to 15 times as much. Results are plain vectors [C].
 */

/** sum over N and pixels: [C] */
export function channelSum(e: Emitter, x: string, shape: readonly number[], layout: Layout): string {
  const perImage = imageSums(e, x, shape, layout);
  return trueChannels(e, e.sum(perImage, [0]), shape[1]!, layout);
}

/** sum over N and pixels of a b: [C]. `b` is the filter of a depthwise convolution whose output is one pixel. */
export function channelDot(e: Emitter, a: string, b: string, shape: readonly number[], layout: Layout): string {
  return trueChannels(e, e.sum(imageDots(e, a, b, shape, layout), [0]), shape[1]!, layout);
}

/** sum over pixels: [N, Cp] */
export function imageSums(e: Emitter, x: string, shape: readonly number[], layout: Layout): string {
  const [n, stored, ...sides] = layout.storedShape(shape) as [number, number, ...number[]];
  const means = e.reshape(e.nchwc('GlobalAveragePool', [x]), [n, stored]);
  return e.mul(means, e.scalar(product(sides)));
}

/** sum over pixels of a b: [N, Cp] */
export function imageDots(e: Emitter, a: string, b: string, shape: readonly number[], layout: Layout): string {
  const [n, stored, ...sides] = layout.storedShape(shape) as [number, number, ...number[]];
  const image = e.reshape(a, [1, n * stored, ...sides]);
  const filter = e.reshape(b, [n * stored, 1, ...sides]);
  const dots = e.nchwc('Conv', [image, filter], { kernel_shape: sides, group: n * stored });
  return e.reshape(dots, [n, stored]);
}

/** [Cp] to [C] */
export function trueChannels(e: Emitter, vector: string, count: number, layout: Layout): string {
  return count % layout.block === 0 ? vector : e.slice(vector, [0], [count], [0]);
}

const sum: BlockedLowering = {
  name: 'nchwc.GlobalAveragePool',
  applies: (site: BlockedSite) => site.shapes[0]!.length === 4 && site.madeIn(0) === 'channels',
  wants: () => ({ layouts: ['channels'] }),
  emit: (e, [dy], site) => [plainForm(channelSum(e, dy!, site.shapes[0]!, channels(site)))],
};

const dot: BlockedLowering = {
  name: 'nchwc.Conv with B as the filter',
  applies: (site: BlockedSite) =>
    site.shapes[0]!.length === 4 && (site.madeIn(0) === 'channels' || site.madeIn(1) === 'channels'),
  wants: () => ({ layouts: ['channels', 'channels'] }),
  emit: (e, [a, b], site) => [plainForm(channelDot(e, a!, b!, site.shapes[0]!, channels(site)))],
};

export const blockedChannelSums = { ChannelSum: [sum], ChannelDot: [dot] };
