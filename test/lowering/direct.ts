/** The abstract ops straight from their definitions, in loops over every index, in float64. */

export interface Values {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly pads: readonly number[];
  readonly dilations: readonly number[];
  readonly group?: number;
  readonly includePad?: boolean;
}

const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

export const empty = (shape: readonly number[]): Values => ({ shape, data: new Float64Array(size(shape)) });

/** Every index of `shape`, row-major. */
export function* indices(shape: readonly number[]): Generator<number[]> {
  const total = size(shape);
  for (let flat = 0; flat < total; flat++) {
    const index: number[] = [];
    let rest = flat;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index.unshift(rest % shape[axis]!);
      rest = Math.floor(rest / shape[axis]!);
    }
    yield index;
  }
}

export function offset(shape: readonly number[], index: readonly number[]): number {
  return index.reduce((flat, i, axis) => flat * shape[axis]! + i, 0);
}

/** The pixel that tap `tap` of the window at `at` covers, or undefined outside of X. */
function pixel(
  window: Window,
  sides: readonly number[],
  at: readonly number[],
  tap: readonly number[],
): number[] | undefined {
  const place = at.map((o, i) => o * window.strides[i]! - window.pads[i]! + tap[i]! * window.dilations[i]!);
  return place.every((p, i) => p >= 0 && p < sides[i]!) ? place : undefined;
}

/** Calls `visit` with the offsets of y, x and w for every product that the convolution sums. */
function convolve(
  window: Window,
  yShape: readonly number[],
  xShape: readonly number[],
  wShape: readonly number[],
  visit: (y: number, x: number, w: number) => void,
): void {
  const group = window.group ?? 1;
  const perGroup = wShape[0]! / group;
  for (const [n, o, ...at] of indices(yShape))
    for (const [i, ...tap] of indices(wShape.slice(1))) {
      const place = pixel(window, xShape.slice(2), at, tap);
      if (place === undefined) continue;
      const channel = Math.floor(o! / perGroup) * wShape[1]! + i!;
      visit(offset(yShape, [n!, o!, ...at]), offset(xShape, [n!, channel, ...place]), offset(wShape, [o!, i!, ...tap]));
    }
}

export function convolutionInputGradient(dy: Values, w: Values, xShape: readonly number[], window: Window): Values {
  const dx = empty(xShape);
  convolve(window, dy.shape, xShape, w.shape, (yi, xi, wi) => (dx.data[xi]! += dy.data[yi]! * w.data[wi]!));
  return dx;
}

export function convolutionWeightGradient(dy: Values, x: Values, wShape: readonly number[], window: Window): Values {
  const dw = empty(wShape);
  convolve(window, dy.shape, x.shape, wShape, (yi, xi, wi) => (dw.data[wi]! += dy.data[yi]! * x.data[xi]!));
  return dw;
}

export function maxPoolGradient(dy: Values, x: Values, window: Window): Values {
  const dx = empty(x.shape);
  for (const [n, c, ...at] of indices(dy.shape)) {
    let best = -1;
    for (const tap of indices(window.kernel)) {
      const place = pixel(window, x.shape.slice(2), at, tap);
      if (place === undefined) continue;
      const i = offset(x.shape, [n!, c!, ...place]);
      if (best < 0 || x.data[i]! > x.data[best]!) best = i;
    }
    dx.data[best]! += dy.data[offset(dy.shape, [n!, c!, ...at])]!;
  }
  return dx;
}

export function averagePoolGradient(dy: Values, xShape: readonly number[], window: Window): Values {
  const dx = empty(xShape);
  const sides = xShape.slice(2);
  for (const [n, c, ...at] of indices(dy.shape)) {
    const taps = [...indices(window.kernel)];
    const places = taps.flatMap((tap) => pixel(window, sides, at, tap) ?? []);
    const rank = sides.length;
    const counted = taps.filter((tap) =>
      at.every((o, i) => {
        const p = o * window.strides[i]! - window.pads[i]! + tap[i]! * window.dilations[i]!;
        return window.includePad ? p < sides[i]! + window.pads[rank + i]! : p >= 0 && p < sides[i]!;
      }),
    ).length;
    const share = dy.data[offset(dy.shape, [n!, c!, ...at])]! / counted;
    for (let i = 0; i < places.length; i += rank)
      dx.data[offset(xShape, [n!, c!, ...places.slice(i, i + rank)])]! += share;
  }
  return dx;
}

export function map(values: Values, f: (value: number, index: number) => number): Values {
  return { shape: values.shape, data: values.data.map(f) };
}

/** Per channel of [N, C, ...]: f over all values of the channel. */
export function perChannel(values: Values, f: (values: number[], channel: number) => number): Values {
  const lists = Array.from({ length: values.shape[1]! }, (): number[] => []);
  const inner = size(values.shape.slice(2));
  for (const [i, value] of values.data.entries()) lists[Math.floor(i / inner) % values.shape[1]!]!.push(value);
  return { shape: [values.shape[1]!], data: Float64Array.from(lists, f) };
}

/** The channel of a flat index of [N, C, ...]. */
export function channelOf(shape: readonly number[], flat: number): number {
  return Math.floor(flat / size(shape.slice(2))) % shape[1]!;
}
