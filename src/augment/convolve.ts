import type { Pixels } from '../images/pixels.ts';
import { reflected } from './reflect.ts';
import { reused } from './reused.ts';

/** Weights are whole numbers that add up to this: a flat image stays as it is. */
const ONE = 1 << 14;

const margins = reused((length) => new Uint16Array(length));
const rowsBlurred = reused((length) => new Uint16Array(length));
const results = reused((length) => new Uint16Array(length));
const sums = reused((length) => new Int32Array(length));

/**
 * Convolves rows, then columns, with the same symmetric kernel, in place. Beyond its border the image is reflected about its last pixels
 * (... 2 1 | 0 1 2 ...). What lies between the passes has 8 binary places.
 * @param weights of the centre and of the neighbours to one side; any scale
 */
export function convolveSeparable(image: Pixels, weights: readonly number[]): void {
  const { width, height, data } = image;
  // Taps go in threes on either side.
  const reach = Math.ceil((weights.length - 1) / 3) * 3;
  const whole = wholeWeights(weights.map((weight, i) => (i === 0 ? weight : 2 * weight))).map((weight, i) =>
    i === 0 ? weight : weight / 2,
  );
  const kernel = Int32Array.from({ length: reach + 1 }, (_, i) => whole[i] ?? 0);
  const stride = width * 3;
  const wide = (width + 2 * reach) * 3;
  const rows = rowsBlurred((height + 2 * reach) * stride);
  const result = results(height * stride);
  convolveLines(withMargin(image, reach), reach * 3, wide, 3, kernel, 6, rows, stride, height + 2 * reach);
  convolveLines(rows, reach * stride, stride, stride, kernel, 22, result, stride, height);
  data.set(result.subarray(0, height * stride));
}

/**
 * @param from where the first line's first value lies in `source`
 * @param next from one line to the next
 * @param step from one tap to the next
 * @param shift binary places that are rounded away
 */
function convolveLines(
  source: Uint16Array,
  from: number,
  next: number,
  step: number,
  kernel: Int32Array,
  shift: number,
  into: Uint16Array,
  length: number,
  lines: number,
): void {
  const line = sums(length);
  for (let y = 0; y < lines; y++) {
    const start = from + y * next;
    line.fill(1 << (shift - 1), 0, length);
    addCentre(source, start, kernel, step, line, length);
    for (let k = 4; k < kernel.length; k += 3) addNeighbours(source, start, kernel, k, step, line, length);
    writeLine(line, shift, into, y * length, length);
  }
}

function addCentre(
  source: Uint16Array,
  start: number,
  kernel: Int32Array,
  step: number,
  line: Int32Array,
  length: number,
): void {
  const centre = kernel[0]!;
  const one = kernel[1]!;
  const two = kernel[2]!;
  const three = kernel[3]!;
  for (let at = start, i = 0; i < length; at++, i++)
    line[i]! +=
      Math.imul(centre, source[at]!) +
      Math.imul(one, source[at - step]! + source[at + step]!) +
      Math.imul(two, source[at - 2 * step]! + source[at + 2 * step]!) +
      Math.imul(three, source[at - 3 * step]! + source[at + 3 * step]!);
}

function addNeighbours(
  source: Uint16Array,
  start: number,
  kernel: Int32Array,
  k: number,
  step: number,
  line: Int32Array,
  length: number,
): void {
  const one = kernel[k]!;
  const two = kernel[k + 1]!;
  const three = kernel[k + 2]!;
  const near = k * step;
  const middle = near + step;
  const far = middle + step;
  for (let at = start, i = 0; i < length; at++, i++)
    line[i]! +=
      Math.imul(one, source[at - near]! + source[at + near]!) +
      Math.imul(two, source[at - middle]! + source[at + middle]!) +
      Math.imul(three, source[at - far]! + source[at + far]!);
}

function writeLine(line: Int32Array, shift: number, into: Uint16Array, to: number, length: number): void {
  for (let i = 0; i < length; i++) into[to + i] = line[i]! >> shift;
}

export interface Tap {
  readonly dx: number;
  readonly dy: number;
  readonly weight: number;
}

/** Weighs neighbours together, in place, rounded; borders as in `convolveSeparable`. Weights may have any scale. */
export function convolveTaps(image: Pixels, taps: readonly Tap[]): void {
  const { width, height, data } = image;
  const reach = Math.max(...taps.map(({ dx, dy }) => Math.max(Math.abs(dx), Math.abs(dy))));
  const source = withMargin(image, reach);
  const wide = (width + 2 * reach) * 3;
  const stride = width * 3;
  const whole = wholeWeights(taps.map(({ weight }) => weight));
  // Taps go in fours; what is added to make up the number has no weight.
  const weights = Int32Array.from({ length: Math.ceil(taps.length / 4) * 4 }, (_, i) => whole[i] ?? 0);
  const offsets = Int32Array.from(weights, (_, i) => (taps[i] === undefined ? 0 : taps[i].dy * wide + taps[i].dx * 3));
  const line = sums(stride);
  for (let y = 0; y < height; y++) {
    const start = (y + reach) * wide + reach * 3;
    line.fill(ONE >> 1, 0, stride);
    for (let k = 0; k < weights.length; k += 4) {
      const [a, b, c, d] = [weights[k]!, weights[k + 1]!, weights[k + 2]!, weights[k + 3]!];
      let atA = start + offsets[k]!;
      let atB = start + offsets[k + 1]!;
      let atC = start + offsets[k + 2]!;
      let atD = start + offsets[k + 3]!;
      for (let i = 0; i < stride; i++)
        line[i]! +=
          Math.imul(a, source[atA++]!) +
          Math.imul(b, source[atB++]!) +
          Math.imul(c, source[atC++]!) +
          Math.imul(d, source[atD++]!);
    }
    for (let i = 0, to = y * stride; i < stride; i++, to++) data[to] = line[i]! >> 14;
  }
}

/** In even parts of `ONE`; the first, which must be a large one, takes what rounding leaves. */
function wholeWeights(weights: readonly number[]): number[] {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const whole = weights.map((weight) => Math.round((weight / total) * (ONE / 2)) * 2);
  const rest = ONE - whole.reduce((sum, weight) => sum + weight, 0);
  return whole.map((weight, i) => (i === 0 ? weight + rest : weight));
}

function withMargin({ width, height, data }: Pixels, margin: number): Uint16Array {
  const wide = (width + 2 * margin) * 3;
  const memory = margins((height + 2 * margin) * wide);
  for (let y = 0; y < height; y++) {
    const start = (y + margin) * wide + margin * 3;
    memory.set(data.subarray(y * width * 3, (y + 1) * width * 3), start);
    for (let x = 1; x <= margin; x++)
      for (let c = 0; c < 3; c++) {
        memory[start - x * 3 + c] = memory[start + reflected(-x, width) * 3 + c]!;
        memory[start + (width - 1 + x) * 3 + c] = memory[start + reflected(width - 1 + x, width) * 3 + c]!;
      }
  }
  const copy = (from: number, to: number): void => {
    memory.copyWithin((to + margin) * wide, (from + margin) * wide, (from + margin + 1) * wide);
  };
  for (let y = 1; y <= margin; y++) {
    copy(reflected(-y, height), -y);
    copy(reflected(height - 1 + y, height), height - 1 + y);
  }
  return memory;
}
