import { randomStream, type RandomStream } from '../core/random.ts';
import { sizeOf, tensor, type Tensor } from '../core/tensor.ts';

/**
 * How a parameter starts: its values, given the shape and a stream of its own. Streams are keyed by
 * (seed, name), so a parameter starts the same whatever else the network holds.
 */
export type Initialiser = (shape: readonly number[], stream: RandomStream) => Float32Array;

export const constant =
  (value: number): Initialiser =>
  (shape) =>
    new Float32Array(sizeOf(shape)).fill(value);

export const zero = constant(0);
export const one = constant(1);

export const normal =
  (deviation: number): Initialiser =>
  (shape, stream) =>
    Float32Array.from({ length: sizeOf(shape) }, () => deviation * stream.normal());

/** Uniform in [-bound, bound). */
export const uniform =
  (bound: number): Initialiser =>
  (shape, stream) =>
    Float32Array.from({ length: sizeOf(shape) }, () => (2 * stream.uniform() - 1) * bound);

/** Normal, drawn anew beyond two deviations. */
export const truncatedNormal =
  (deviation: number): Initialiser =>
  (shape, stream) =>
    Float32Array.from({ length: sizeOf(shape) }, () => {
      let value = stream.normal();
      while (Math.abs(value) > 2) value = stream.normal();
      return deviation * value;
    });

/**
 * Normal with variance 2 / fan-out, for weights [O, I / groups, ...]. The fan-out counts what one input
 * channel reaches, so a depthwise kernel has k·k (as in the authors' code of MobileNet and EfficientNet).
 * He et al. 2015 (https://arxiv.org/abs/1502.01852), eq. 14.
 */
export const heFanOut =
  (groups = 1): Initialiser =>
  (shape, stream) =>
    normal(Math.sqrt(2 / ((shape[0]! / groups) * sizeOf(shape.slice(2)))))(shape, stream);

/** Normal with variance 2 / fan-in, for weights [O, I, ...]. He et al. 2015, eq. 10. */
export const heFanIn: Initialiser = (shape, stream) => normal(Math.sqrt(2 / sizeOf(shape.slice(1))))(shape, stream);

/** Normal with variance 1 / fan-in, truncated, for weights [O, I, ...] (LeCun et al. 1998, Efficient BackProp). */
export const lecun: Initialiser = (shape, stream) =>
  // 0.8796 is the deviation of a unit normal truncated at 2.
  truncatedNormal(1 / Math.sqrt(sizeOf(shape.slice(1))) / 0.87962566103423978)(shape, stream);

/** Uniform within 1 / √fan-in, for weights [O, I, ...]: what PyTorch gives a linear layer. */
export const uniformFanIn: Initialiser = (shape, stream) =>
  uniform(1 / Math.sqrt(sizeOf(shape.slice(1))))(shape, stream);

/** Uniform within 1 / √fan-out, for weights [O, I]: the linear layer of MobileNet and EfficientNet in TensorFlow. */
export const uniformFanOut: Initialiser = (shape, stream) => uniform(1 / Math.sqrt(shape[0]!))(shape, stream);

/** The start of parameter `name`. Without a seed every parameter is zero: weights are loaded next. */
export function initialise(name: string, shape: readonly number[], how: Initialiser, seed: number | undefined): Tensor {
  const values =
    seed === undefined ? new Float32Array(sizeOf(shape)) : how(shape, randomStream(seed, 'initialise', name));
  return tensor('float32', shape, values);
}
