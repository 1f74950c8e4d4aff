import { attribute } from '../../../src/onnx/graph.ts';
import type { Kernel } from '../interpreter.ts';
import { map, mean, reduce, reshaped, sum, wrapAxis, zip, make, type Value } from '../value.ts';
import { negativeLogLikelihood } from './indexing.ts';

const EPSILON = 1e-5;
const add = (a: Value, b: Value): Value => zip(a, b, (x, y) => x + y);
const subtract = (a: Value, b: Value): Value => zip(a, b, (x, y) => x - y);
const multiply = (a: Value, b: Value): Value => zip(a, b, (x, y) => x * y);
const square = (a: Value): Value => map(a, (x) => x * x);
export const inverseRoot = (spread: Value, epsilon: number): Value => map(spread, (v) => 1 / Math.sqrt(v + epsilon));

/** A value a channel, to broadcast against [N, C, ...]. */
export function perChannel(value: Value, rank: number): Value {
  return reshaped(
    value,
    Array.from({ length: rank }, (_, axis) => (axis === 1 ? value.data.length : 1)),
  );
}

export const allButChannels = (x: Value): number[] => x.shape.flatMap((_, axis) => (axis === 1 ? [] : [axis]));
const after = (x: Value, first: number): number[] => x.shape.flatMap((_, axis) => (axis >= first ? [axis] : []));

function variance(x: Value, axes: readonly number[]): Value {
  return mean(square(subtract(x, mean(x, axes))), axes);
}

function standardised(x: Value, axes: readonly number[], epsilon: number): Value {
  return multiply(subtract(x, mean(x, axes)), inverseRoot(variance(x, axes), epsilon));
}

function affine(x: Value, scale: Value, bias: Value): Value {
  const rank = x.shape.length;
  return add(multiply(x, perChannel(scale, rank)), perChannel(bias, rank));
}

function layerNorm(x: Value, scale: Value, bias: Value | undefined, first: number, epsilon: number): Value[] {
  const axes = after(x, first);
  const center = mean(x, axes);
  const inverse = inverseRoot(variance(x, axes), epsilon);
  const y = multiply(multiply(subtract(x, center), inverse), scale);
  return [bias === undefined ? y : add(y, bias), center, inverse];
}

export const normalization: Readonly<Record<string, Kernel>> = {
  BatchNormalization: ([x, scale, bias, center, spread], node) => {
    const rank = x!.shape.length;
    const inverse = inverseRoot(spread!, attribute(node, 'epsilon', 'float', EPSILON));
    const normalised = multiply(subtract(x!, perChannel(center!, rank)), perChannel(inverse, rank));
    return [affine(normalised, scale!, bias!)];
  },
  BatchNormTraining: ([x, scale, bias], node) => {
    const axes = allButChannels(x!);
    const y = standardised(x!, axes, attribute(node, 'epsilon', 'float'));
    const channels = [x!.shape[1]!];
    return [affine(y, scale!, bias!), reshaped(mean(x!, axes), channels), reshaped(variance(x!, axes), channels)];
  },
  LayerNormalization: ([x, scale, bias], node) => {
    const first = wrapAxis(attribute(node, 'axis', 'int', -1), x!.shape.length);
    return layerNorm(x!, scale!, bias, first, attribute(node, 'epsilon', 'float', EPSILON));
  },
  SkipLayerNormalization: ([x, skip, scale, beta, bias], node) => {
    const total = bias === undefined ? add(x!, skip!) : add(add(x!, skip!), bias);
    const epsilon = attribute(node, 'epsilon', 'float', 1e-12);
    return [...layerNorm(total, scale!, beta, total.shape.length - 1, epsilon), total];
  },
  RMSNormalization: ([x, scale], node) => {
    const axes = after(x!, wrapAxis(attribute(node, 'axis', 'int', -1), x!.shape.length));
    const inverse = inverseRoot(mean(square(x!), axes), attribute(node, 'epsilon', 'float', EPSILON));
    return [multiply(multiply(x!, inverse), scale!)];
  },
  SimplifiedLayerNormalization: (inputs, node) => normalization['RMSNormalization']!(inputs, node),
  SkipSimplifiedLayerNormalization: ([x, skip, scale, bias], node) => {
    const total = bias === undefined ? add(x!, skip!) : add(add(x!, skip!), bias);
    const epsilon = attribute(node, 'epsilon', 'float', 1e-12);
    const inverse = inverseRoot(mean(square(total), [total.shape.length - 1]), epsilon);
    return [multiply(multiply(total, inverse), scale!)];
  },
  GroupNormalization: ([x, scale, bias], node) => {
    const groups = attribute(node, 'num_groups', 'int');
    const grouped = reshaped(x!, [x!.shape[0]!, groups, x!.data.length / (x!.shape[0]! * groups)]);
    const y = standardised(grouped, [2], attribute(node, 'epsilon', 'float', EPSILON));
    return [affine(reshaped(y, x!.shape), scale!, bias!)];
  },
  InstanceNormalization: ([x, scale, bias], node) => [
    affine(standardised(x!, after(x!, 2), attribute(node, 'epsilon', 'float', EPSILON)), scale!, bias!),
  ],
  MeanVarianceNormalization: ([x], node) => {
    const axes = attribute(node, 'axes', 'ints', [0, 2, 3]);
    const deviation = map(variance(x!, axes), (v) => Math.sqrt(v) + 1e-9);
    return [zip(subtract(x!, mean(x!, axes)), deviation, (v, d) => v / d)];
  },
  LpNormalization: ([x], node) => {
    const axes = [wrapAxis(attribute(node, 'axis', 'int', -1), x!.shape.length)];
    const p = attribute(node, 'p', 'int', 2);
    const norm = map(
      sum(
        map(x!, (v) => Math.abs(v) ** p),
        axes,
      ),
      (v) => v ** (1 / p),
    );
    return [zip(x!, norm, (v, n) => v / n)];
  },
  LRN: ([x], node) => {
    const size = attribute(node, 'size', 'int');
    const alpha = attribute(node, 'alpha', 'float', 1e-4);
    const beta = attribute(node, 'beta', 'float', 0.75);
    const bias = attribute(node, 'bias', 'float', 1);
    const channels = x!.shape[1]!;
    const area = x!.shape.slice(2).reduce((product, side) => product * side, 1);
    const result = make(x!, x!.shape);
    for (let i = 0; i < x!.data.length; i++) {
      const c = Math.floor(i / area) % channels;
      let total = 0;
      for (
        let j = Math.max(0, c - Math.floor((size - 1) / 2));
        j <= Math.min(channels - 1, c + Math.ceil((size - 1) / 2));
        j++
      )
        total += x!.data[i + (j - c) * area]! ** 2;
      result.data[i] = x!.data[i]! / (bias + (alpha / size) * total) ** beta;
    }
    return [result];
  },
  SoftmaxCrossEntropyLoss: ([scores, labels, weights], node) => {
    const top = reduce(scores!, [1], -Infinity, Math.max);
    const shifted = subtract(scores!, top);
    const logs = subtract(shifted, map(sum(map(shifted, Math.exp), [1]), Math.log));
    const ignore = node.attributes['ignore_index'] && attribute(node, 'ignore_index', 'int');
    const reduction = attribute(node, 'reduction', 'string', 'mean');
    return [negativeLogLikelihood(logs, labels!, weights, reduction, ignore), logs];
  },
};
