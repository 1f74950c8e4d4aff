import { attribute } from '../../onnx/graph.ts';
import { product, range, type Emitter } from '../emitter.ts';
import { always, type Lowering, type Site } from '../lowering.ts';

/** Sums over all axes but the channels', and batch norm on the batch's own statistics. X [N, C, ...]. */

const allButChannels = (rank: number): number[] => range(0, rank).filter((axis) => axis !== 1);

const channelSum: Lowering = {
  name: 'ReduceSum',
  applies: always,
  emit: (e, [dy], site) => [e.sum(dy!, allButChannels(site.shapes[0]!.length))],
};

const channelDot: Lowering = {
  name: 'Mul and ReduceSum',
  applies: always,
  emit: (e, [a, b], site) => [e.sum(e.mul(a!, b!), allButChannels(site.shapes[0]!.length))],
};

/**
 * In reductions, mean first. ONNX's own op in training mode would do it at once, but ONNX Runtime writes its
 * running outputs over its running inputs, constants included.
 */
const decomposed: Lowering = {
  name: 'reductions',
  applies: always,
  emit(e, [x, scale, bias], site) {
    const shape = site.shapes[0]!;
    const channels = [shape[1]!];
    const axes = e.ints(allButChannels(shape.length));
    const mean = e.op('ReduceMean', [x!, axes], { keepdims: 1 });
    const centred = e.sub(x!, mean);
    const variance = e.op('ReduceMean', [e.mul(centred, centred), axes], { keepdims: 0 });
    const factor = e.mul(scale!, inverseDeviation(e, variance, site));
    const y = e.add(e.mul(centred, perChannel(e, factor, shape)), perChannel(e, bias!, shape));
    return [y, e.reshape(mean, channels), variance];
  },
};

/**
 * dbias = sum dY; dscale = sum dY xhat; dX = scale / sigma (dY - dbias / n - xhat dscale / n), with
 * xhat = (X - mean) / sigma and n values a channel (Ioffe and Szegedy, 2015).
 */
const batchNormalizationGradient: Lowering = {
  name: 'reductions',
  applies: always,
  emit(e, [dy, x, scale, mean, variance], site) {
    const shape = site.shapes[1]!;
    const count = product(shape) / shape[1]!;
    const axes = allButChannels(shape.length);
    const inverse = inverseDeviation(e, variance!, site);
    const centred = e.sub(x!, perChannel(e, mean!, shape));
    const biasGradient = e.sum(dy!, axes);
    const scaleGradient = e.mul(e.sum(e.mul(dy!, centred), axes), inverse);
    const factor = e.mul(scale!, inverse);
    const perCount = e.scalar(1 / count);
    // dX = factor dY - (factor inverse dscale / n) centred - factor dbias / n
    const slope = e.mul(e.mul(e.mul(factor, inverse), scaleGradient), perCount);
    const shift = e.mul(e.mul(factor, biasGradient), perCount);
    const affine = e.add(e.mul(centred, perChannel(e, slope, shape)), perChannel(e, shift, shape));
    return [e.sub(e.mul(dy!, perChannel(e, factor, shape)), affine), scaleGradient, biasGradient];
  },
};

/** 1 / sqrt(variance + epsilon) */
export function inverseDeviation(e: Emitter, variance: string, site: Site): string {
  const epsilon = e.scalar(attribute(site.node, 'epsilon', 'float', 1e-5));
  return e.op('Reciprocal', [e.op('Sqrt', [e.add(variance, epsilon)])]);
}

/** [C] as [1, C, 1, ...] */
function perChannel(e: Emitter, vector: string, shape: readonly number[]): string {
  return shape.length === 2 ? vector : e.reshape(vector, [shape[1]!, ...shape.slice(2).map(() => 1)]);
}

export const normalizationLowerings = {
  ChannelSum: [channelSum],
  ChannelDot: [channelDot],
  BatchNormTraining: [decomposed],
  BatchNormTrainingGrad: [batchNormalizationGradient],
};
