import { attribute } from '../../../src/onnx/graph.ts';
import type { Kernel } from '../interpreter.ts';
import { accumulateProduct, make, mean, reshaped, stridesOf, sum, transposed, wrapAxis, zip } from '../value.ts';
import { allButChannels, inverseRoot, perChannel } from './normalization.ts';
import { areaOf, folded, tapsOf, unfolded } from './windows.ts';

/** The abstract gradient ops, by their definitions in the table of `src/onnx/shapes/gradient.ts`. */
export const gradients: Readonly<Record<string, Kernel>> = {
  ConvGradInput: ([dY, w], node) => {
    const shape = attribute(node, 'input_shape', 'ints');
    const groups = attribute(node, 'group', 'int');
    const [n, c] = shape as [number, number];
    const o = w!.shape[0]!;
    const taps = tapsOf(node, shape.slice(2), w!.shape.slice(2));
    const [inGroup, outGroup, area] = [c / groups, o / groups, areaOf(shape)];
    const depth = inGroup * taps.tapCount;
    const result = make(dY!, shape);
    const flipped = transposed(reshaped(w!, [groups, outGroup, depth]), [0, 2, 1]);
    for (let i = 0; i < n; i++)
      for (let g = 0; g < groups; g++) {
        const columns = new Float64Array(depth * taps.placeCount);
        const at = [g * depth * outGroup, (i * o + g * outGroup) * taps.placeCount, 0] as const;
        accumulateProduct([depth, taps.placeCount, outGroup], flipped.data, dY!.data, columns, at);
        folded(columns, result.data, (i * c + g * inGroup) * area, inGroup, area, taps);
      }
    return [result];
  },
  ConvGradWeight: ([dY, x], node) => {
    const shape = attribute(node, 'weight_shape', 'ints');
    const groups = attribute(node, 'group', 'int');
    const [n, c] = x!.shape as [number, number];
    const o = shape[0]!;
    const taps = tapsOf(node, x!.shape.slice(2), shape.slice(2));
    const [inGroup, outGroup, area] = [c / groups, o / groups, areaOf(x!.shape)];
    const depth = inGroup * taps.tapCount;
    const result = make(dY!, shape);
    for (let i = 0; i < n; i++)
      for (let g = 0; g < groups; g++) {
        const columns = unfolded(x!.data, (i * c + g * inGroup) * area, inGroup, area, taps);
        const rows = transposed(make(x!, [depth, taps.placeCount], columns), [1, 0]);
        const at = [(i * o + g * outGroup) * taps.placeCount, 0, g * outGroup * depth] as const;
        accumulateProduct([outGroup, depth, taps.placeCount], dY!.data, rows.data, result.data, at);
      }
    return [result];
  },
  ChannelSum: ([dY]) => [reshaped(sum(dY!, allButChannels(dY!)), [dY!.shape[1]!])],
  ChannelDot: ([a, b]) => {
    const product = zip(a!, b!, (x, y) => x * y);
    return [reshaped(sum(product, allButChannels(product)), [product.shape[1]!])];
  },
  MaxPoolGrad: ([dY, x, y], node) => {
    const taps = tapsOf(node, x!.shape.slice(2), attribute(node, 'kernel_shape', 'ints'));
    const area = areaOf(x!.shape);
    const result = make(dY!, x!.shape);
    for (let i = 0; i < dY!.data.length; i++) {
      const [channel, place] = [Math.floor(i / taps.placeCount), i % taps.placeCount];
      for (let t = 0; t < taps.tapCount; t++) {
        const at = taps.table[t * taps.placeCount + place]!;
        if (at < 0 || x!.data[channel * area + at] !== y!.data[i]) continue;
        result.data[channel * area + at] = result.data[channel * area + at]! + dY!.data[i]!;
        break;
      }
    }
    return [result];
  },
  AveragePoolGrad: ([dY], node) => {
    const shape = attribute(node, 'input_shape', 'ints');
    const taps = tapsOf(node, shape.slice(2), attribute(node, 'kernel_shape', 'ints'));
    const counted = attribute(node, 'count_include_pad', 'int') === 1;
    const area = areaOf(shape);
    const result = make(dY!, shape);
    for (let i = 0; i < dY!.data.length; i++) {
      const [channel, place] = [Math.floor(i / taps.placeCount), i % taps.placeCount];
      const inside: number[] = [];
      for (let t = 0; t < taps.tapCount; t++) {
        const at = taps.table[t * taps.placeCount + place]!;
        if (at >= 0) inside.push(channel * area + at);
      }
      const share = dY!.data[i]! / (counted ? taps.inPadded[place]! : inside.length);
      for (const at of inside) result.data[at] = result.data[at]! + share;
    }
    return [result];
  },
  GlobalAveragePoolGrad: ([dY], node) => {
    const shape = attribute(node, 'input_shape', 'ints');
    const area = areaOf(shape);
    const result = make(dY!, shape);
    for (let i = 0; i < result.data.length; i++) result.data[i] = dY!.data[Math.floor(i / area)]! / area;
    return [result];
  },
  ReluGrad: ([dY, y]) => [zip(dY!, y!, (d, v) => (v > 0 ? d : 0))],
  ClipGrad: ([dY, x], node) => {
    const [min, max] = [attribute(node, 'min', 'float'), attribute(node, 'max', 'float')];
    return [zip(dY!, x!, (d, v) => (v > min && v < max ? d : 0))];
  },
  LeakyReluGrad: ([dY, x], node) => {
    const alpha = attribute(node, 'alpha', 'float');
    return [zip(dY!, x!, (d, v) => (v > 0 ? d : alpha * d))];
  },
  HardSigmoidGrad: ([dY, y], node) => {
    const alpha = attribute(node, 'alpha', 'float');
    return [zip(dY!, y!, (d, v) => (v > 0 && v < 1 ? alpha * d : 0))];
  },
  HardSwishGrad: ([dY, x]) => [zip(dY!, x!, (d, v) => (v <= -3 ? 0 : v >= 3 ? d : d * (v / 3 + 0.5)))],
  BatchNormTrainingGrad: ([dY, x, scale, center, variance], node) => {
    const rank = x!.shape.length;
    const axes = allButChannels(x!);
    const inverse = inverseRoot(variance!, attribute(node, 'epsilon', 'float'));
    const centered = zip(x!, perChannel(center!, rank), (v, m) => v - m);
    const normalised = zip(centered, perChannel(inverse, rank), (v, r) => v * r);
    const tilt = zip(dY!, normalised, (d, v) => d * v);
    const straight = zip(
      zip(dY!, mean(dY!, axes), (d, m) => d - m),
      zip(normalised, mean(tilt, axes), (v, m) => v * m),
      (d, t) => d - t,
    );
    const slope = zip(scale!, inverse, (s, r) => s * r);
    const channels = [x!.shape[1]!];
    return [
      zip(straight, perChannel(slope, rank), (d, s) => d * s),
      reshaped(sum(tilt, axes), channels),
      reshaped(sum(dY!, axes), channels),
    ];
  },
  GatherGrad: ([dY, indices], node) => {
    const shape = attribute(node, 'input_shape', 'ints');
    const axis = wrapAxis(attribute(node, 'axis', 'int'), shape.length);
    const side = shape[axis]!;
    const inner = stridesOf(shape)[axis]!;
    const result = make(dY!, shape);
    let from = 0;
    for (let o = 0; o < result.data.length / (side * inner); o++)
      for (const index of indices!.data)
        for (let i = 0; i < inner; i++) {
          const at = (o * side + wrapAxis(index, side)) * inner + i;
          result.data[at] = result.data[at]! + dY!.data[from++]!;
        }
    return [result];
  },
};
