import { product, type Emitter } from '../emitter.ts';
import type { Layout } from '../layout.ts';
import { padded } from '../layout.ts';
import { inverseDeviation } from '../plain/normalization.ts';
import { blockedForm, channels, plainForm, whereBlocked, type BlockedLowering } from './blocked-lowering.ts';
import { channelDot, channelSum } from './channel-sums.ts';

/**
 * Batch norm on the batch's statistics, on tensors in blocks. Every pass over pixels is one of the
 * engine's blocked kernels: means by GlobalAveragePool, products by a depthwise convolution with a tensor
 * as its filter, affine forms by a depthwise 1x1 convolution.
 */

/** x scale + shift, a factor and a summand for each channel; `more` is added where given. */
export function affine(
  e: Emitter,
  x: string,
  scale: string,
  shift: string | undefined,
  shape: readonly number[],
  layout: Layout,
  more?: string,
): string {
  const stored = padded(shape[1]!, layout.block);
  const grow = (vector: string): string => e.pad(vector, [0], [stored - shape[1]!]);
  const inputs = [x, e.reshape(grow(scale), [stored, 1, 1, 1]), shift === undefined ? '' : grow(shift)];
  if (more !== undefined) inputs.push(more);
  return e.nchwc('Conv', inputs, { kernel_shape: [1, 1], group: stored });
}

/** x - mean. Forward and backward emit the same nodes, of which one stays. */
function centre(e: Emitter, x: string, mean: string, shape: readonly number[], layout: Layout): string {
  return affine(e, x, e.ones(shape[1]!), e.op('Neg', [mean]), shape, layout);
}

/** Mean first, then the variance of what is left: no digit is lost where the mean is large. */
const twoPasses: BlockedLowering = {
  name: 'nchwc, mean first',
  applies: whereBlocked,
  wants: () => ({ layouts: ['channels', 'plain', 'plain'] }),
  emit(e, [x, scale, bias], site) {
    const shape = site.shapes[0]!;
    const layout = channels(site);
    const perCount = e.scalar(shape[1]! / product(shape));
    const mean = e.mul(channelSum(e, x!, shape, layout), perCount);
    const centred = centre(e, x!, mean, shape, layout);
    const variance = e.mul(channelDot(e, centred, centred, shape, layout), perCount);
    const factor = e.mul(scale!, inverseDeviation(e, variance, site));
    const y = affine(e, centred, factor, bias!, shape, layout);
    return [blockedForm(y), plainForm(mean), plainForm(variance)];
  },
};

/** dX as an affine form of dY and X - mean; the sums are those of the plain lowering. */
const gradient: BlockedLowering = {
  name: 'nchwc, mean first',
  applies: (site) => site.shapes[1]!.length === 4 && (site.madeIn(0) === 'channels' || site.madeIn(1) === 'channels'),
  wants: () => ({ layouts: ['channels', 'channels', 'plain', 'plain', 'plain'] }),
  emit(e, [dy, x, scale, mean, variance], site) {
    const shape = site.shapes[1]!;
    const layout = channels(site);
    const perCount = e.scalar(shape[1]! / product(shape));
    const inverse = inverseDeviation(e, variance!, site);
    const centred = centre(e, x!, mean!, shape, layout);
    const biasGradient = channelSum(e, dy!, shape, layout);
    const scaleGradient = e.mul(channelDot(e, dy!, centred, shape, layout), inverse);
    const factor = e.mul(scale!, inverse);
    // dX = factor dY - slope (X - mean) - factor dbias / n
    const slope = e.mul(e.mul(e.mul(factor, inverse), scaleGradient), perCount);
    const shift = e.op('Neg', [e.mul(e.mul(factor, biasGradient), perCount)]);
    const part = affine(e, centred, e.op('Neg', [slope]), shift, shape, layout);
    const dx = affine(e, dy!, factor, undefined, shape, layout, part);
    return [blockedForm(dx), plainForm(scaleGradient), plainForm(biasGradient)];
  },
};

export const blockedNormalizations = { BatchNormTraining: [twoPasses], BatchNormTrainingGrad: [gradient] };
