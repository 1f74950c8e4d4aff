import { fromNumbers, toNumbers, type Tensor } from '../core/tensor.ts';
import { attribute, type Node } from '../onnx/graph.ts';

/** Weights and bias of a product as whole numbers: value = number * scale, one scale an output channel. */
export interface RoundedWeights {
  /** int8, in the shape of the weights. */
  readonly weight: Tensor;
  readonly scales: readonly number[];
  /** The axis of `weight` that counts output channels. */
  readonly axis: number;
  /** int32 [O], scaled by `scales` times the input's scale; absent where the product can have none. */
  readonly bias: Tensor | undefined;
}

export interface RoundingInput {
  /** What one step of the rounded input is worth. */
  readonly scale: number;
  /** Mean of each input channel over the calibration images. */
  readonly means: readonly number[] | undefined;
}

/**
 * Rounds the weights of a Conv, Gemm or MatMul symmetrically to -levels..levels. Rounding shifts what a
 * channel computes on the average; the bias takes that shift back (Nagel et al., 2019, equation 17).
 */
export function roundWeights(
  product: Node,
  weight: Tensor,
  bias: Tensor | undefined,
  input: RoundingInput,
  levels: number,
): RoundedWeights {
  const layout = layoutOf(product, weight);
  const { channels, channelOf } = layout;
  const values = toNumbers(weight);
  const biases = bias === undefined ? Array.from({ length: channels }, () => 0) : toNumbers(bias);
  const largest = new Float64Array(channels);
  for (const [i, value] of values.entries()) {
    const channel = channelOf(i);
    largest[channel] = Math.max(largest[channel]!, Math.abs(value));
  }
  const scales = [...largest].map((value, channel) => {
    const scale = value > 0 ? value / levels : 1;
    // A channel of all but zero weights has so small a scale that its bias would not fit 32 bits.
    return Math.fround(Math.max(scale, Math.abs(biases[channel]!) / input.scale / 2 ** 30));
  });
  const integers = values.map((value, i) => Math.round(value / scales[channelOf(i)]!));
  if (input.means !== undefined)
    for (const [i, value] of values.entries()) {
      const channel = channelOf(i);
      const shift = integers[i]! * scales[channel]! - value;
      biases[channel]! -= shift * input.means[layout.inputOf(i)]!;
    }
  const hasBias = bias !== undefined || (input.means !== undefined && product.opType !== 'MatMul');
  const biasIntegers = biases.map((value, channel) => Math.round(value / biasScale(scales[channel]!, input)));
  return {
    weight: fromNumbers('int8', weight.shape, integers),
    scales,
    axis: layout.axis,
    bias: hasBias ? fromNumbers('int32', [channels], biasIntegers) : undefined,
  };
}

/** What one step of a bias is worth: the engine adds it to products of input and weight. */
export function biasScale(weightScale: number, input: Pick<RoundingInput, 'scale'>): number {
  return Math.fround(weightScale * input.scale);
}

/** Which axis of a product's input counts the channels that its weights tell apart. */
export function inputChannelAxis(product: Node): 1 | -1 {
  return product.opType === 'Conv' ? 1 : -1;
}

/** Output and input channel of each element of the weights. */
function layoutOf(
  product: Node,
  weight: Tensor,
): { axis: number; channels: number; channelOf: (i: number) => number; inputOf: (i: number) => number } {
  if (product.opType === 'Conv') {
    const [channels, inputs, ...kernel] = weight.shape as [number, number, ...number[]];
    const taps = kernel.reduce((size, side) => size * side, 1);
    const perGroup = channels / attribute(product, 'group', 'int', 1);
    const channelOf = (i: number): number => Math.floor(i / (inputs * taps));
    const inputOf = (i: number): number =>
      Math.floor(channelOf(i) / perGroup) * inputs + (Math.floor(i / taps) % inputs);
    return { axis: 0, channels, channelOf, inputOf };
  }
  const transposed = product.opType === 'Gemm' && attribute(product, 'transB', 'int', 0) === 1;
  const [rows, columns] = weight.shape as [number, number];
  const row = (i: number): number => Math.floor(i / columns);
  const column = (i: number): number => i % columns;
  return transposed
    ? { axis: 0, channels: rows, channelOf: row, inputOf: column }
    : { axis: 1, channels: columns, channelOf: column, inputOf: row };
}
