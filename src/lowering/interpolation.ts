import { attribute, type Node } from '../onnx/graph.ts';

/** How `Resize` mixes the pixels of one axis: row o holds the weights of output pixel o, [outputSide, inputSide]. */
export interface InterpolationAxis {
  readonly inputSide: number;
  readonly outputSide: number;
  readonly scale: number;
}

/**
 * The matrix of ONNX's `Resize` along one axis, from the node's attributes: nearest, linear and cubic,
 * every coordinate mode but `tf_crop_and_resize`, antialias as Pillow does it.
 * @throws RangeError for a mode it does not know.
 */
export function interpolationMatrix(node: Node, axis: InterpolationAxis): Float64Array {
  const { inputSide, outputSide } = axis;
  const matrix = new Float64Array(outputSide * inputSide);
  const mode = attribute(node, 'mode', 'string', 'nearest');
  const excludeOutside = attribute(node, 'exclude_outside', 'int', 0) === 1;
  const coordinateMode = attribute(node, 'coordinate_transformation_mode', 'string', 'half_pixel');
  for (let o = 0; o < outputSide; o++) {
    const at = sourceCoordinate(coordinateMode, o, axis);
    const taps = tapsOf(node, mode, at, axis.scale);
    const kept = excludeOutside && mode !== 'nearest' ? taps.filter(([i]) => i >= 0 && i < inputSide) : taps;
    const total = kept.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [i, weight] of kept) {
      const inside = Math.min(Math.max(i, 0), inputSide - 1);
      matrix[o * inputSide + inside]! += weight / total;
    }
  }
  return matrix;
}

type Tap = readonly [index: number, weight: number];

function tapsOf(node: Node, mode: string, at: number, scale: number): Tap[] {
  if (mode === 'nearest') return [[nearest(attribute(node, 'nearest_mode', 'string', 'round_prefer_floor'), at), 1]];
  const a = attribute(node, 'cubic_coeff_a', 'float', -0.75);
  const filter = mode === 'cubic' ? (x: number) => cubic(x, a) : (x: number) => Math.max(0, 1 - Math.abs(x));
  if (mode !== 'cubic' && mode !== 'linear')
    throw new RangeError(`Resize knows the modes nearest, linear and cubic, got "${mode}".`);
  const support = mode === 'cubic' ? 2 : 1;
  if (attribute(node, 'antialias', 'int', 0) === 1 && scale < 1) {
    // The filter is as wide as the pixels it has to cover (Pillow's resample).
    const first = Math.floor(at + 1 - support / scale);
    const last = Math.floor(at + 1 + support / scale);
    return Array.from({ length: last - first }, (_, i) => [first + i, filter((first + i - at) * scale)] as const);
  }
  const first = Math.floor(at) - support + 1;
  return Array.from({ length: 2 * support }, (_, i) => [first + i, filter(first + i - at)] as const);
}

function sourceCoordinate(mode: string, o: number, { inputSide, outputSide, scale }: InterpolationAxis): number {
  switch (mode) {
    case 'half_pixel':
      return (o + 0.5) / scale - 0.5;
    case 'half_pixel_symmetric': {
      const offset = (inputSide / 2) * (1 - outputSide / (scale * inputSide));
      return offset + (o + 0.5) / scale - 0.5;
    }
    case 'pytorch_half_pixel':
      return outputSide > 1 ? (o + 0.5) / scale - 0.5 : 0;
    case 'align_corners':
      return outputSide > 1 ? (o * (inputSide - 1)) / (outputSide - 1) : 0;
    case 'asymmetric':
      return o / scale;
    default:
      throw new RangeError(`Resize can not be differentiated in coordinate mode "${mode}".`);
  }
}

function nearest(mode: string, at: number): number {
  switch (mode) {
    case 'round_prefer_floor':
      return Math.ceil(at - 0.5);
    case 'round_prefer_ceil':
      return Math.floor(at + 0.5);
    case 'floor':
      return Math.floor(at);
    case 'ceil':
      return Math.ceil(at);
    default:
      throw new RangeError(`Resize knows no nearest_mode "${mode}".`);
  }
}

/** Keys' cubic convolution kernel (1981). */
function cubic(x: number, a: number): number {
  const d = Math.abs(x);
  if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  if (d < 2) return (((d - 5) * d + 8) * d - 4) * a;
  return 0;
}
