import { randomStream } from '../../src/core/random.ts';
import { fromNumbers, type Tensor } from '../../src/core/tensor.ts';
import type { GraphBuilder } from '../../src/onnx/builder.ts';
import { float, floats, GRADIENT_DOMAIN, type Attribute } from '../../src/onnx/graph.ts';
import * as direct from './direct.ts';
import type { Values, Window } from './direct.ts';

/**
 * One row a case of an abstract op: its inputs' shapes, its attributes, and its outputs from the
 * definition. A new lowering is tested by the rows of its op that it applies to.
 */
export interface Case {
  readonly name: string;
  readonly opType: string;
  readonly inputs: readonly Tensor[];
  readonly attributes: Readonly<Record<string, Attribute | number | string | readonly number[]>>;
  readonly expected: readonly Values[];
  /** Whether integer inputs are known before the run. */
  readonly constant?: boolean;
}

const stream = randomStream('lowering cases');

function random(shape: readonly number[]): Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  return fromNumbers(
    'float32',
    shape,
    Array.from({ length: size }, () => stream.normal()),
  );
}

export const values = (tensor: Tensor): Values => ({
  shape: tensor.shape,
  data: Float64Array.from(tensor.data as Float32Array, Number),
});

/** Rounded to quarters, so that equal values and values on a threshold occur. */
function coarse(shape: readonly number[], step = 0.25): Tensor {
  const { data } = random(shape);
  return fromNumbers(
    'float32',
    shape,
    Array.from(data as Float32Array, (x) => Math.round(x / step) * step),
  );
}

interface Convolution {
  readonly n: number;
  readonly c: number;
  readonly o: number;
  readonly sides: readonly number[];
  readonly kernel: readonly number[];
  readonly strides?: readonly number[];
  readonly pads?: readonly number[];
  readonly dilations?: readonly number[];
  readonly group?: number;
}

/** Every kind of convolution that occurs: dense, pointwise, strided, dilated, depthwise, grouped, lopsided, 1-D and 3-D. */
export const CONVOLUTIONS: readonly Convolution[] = [
  { n: 2, c: 16, o: 24, sides: [7, 6], kernel: [3, 3], pads: [1, 1, 1, 1] },
  { n: 3, c: 5, o: 7, sides: [6, 5], kernel: [3, 3], pads: [1, 1, 1, 1] },
  { n: 2, c: 16, o: 16, sides: [8, 8], kernel: [3, 3], pads: [1, 1, 1, 1], strides: [2, 2] },
  { n: 2, c: 16, o: 8, sides: [7, 9], kernel: [3, 3], pads: [1, 1, 1, 1], strides: [2, 2] },
  { n: 2, c: 24, o: 16, sides: [8, 8], kernel: [3, 3], pads: [0, 0, 1, 1], strides: [2, 2] },
  { n: 2, c: 3, o: 16, sides: [9, 9], kernel: [3, 3], pads: [1, 1, 1, 1], strides: [2, 2] },
  { n: 2, c: 3, o: 12, sides: [12, 12], kernel: [7, 7], pads: [3, 3, 3, 3], strides: [2, 2] },
  { n: 2, c: 16, o: 32, sides: [5, 5], kernel: [1, 1] },
  { n: 2, c: 12, o: 20, sides: [9, 9], kernel: [1, 1] },
  { n: 2, c: 16, o: 8, sides: [6, 6], kernel: [1, 1], strides: [2, 2] },
  { n: 2, c: 16, o: 8, sides: [7, 7], kernel: [1, 1], strides: [2, 2] },
  { n: 3, c: 16, o: 8, sides: [1, 1], kernel: [1, 1] },
  { n: 3, c: 12, o: 4, sides: [1, 1], kernel: [1, 1] },
  { n: 2, c: 16, o: 8, sides: [9, 9], kernel: [3, 3], pads: [2, 2, 2, 2], dilations: [2, 2] },
  { n: 2, c: 16, o: 8, sides: [9, 9], kernel: [3, 3], pads: [2, 1, 0, 3], dilations: [2, 1], strides: [1, 2] },
  { n: 2, c: 16, o: 16, sides: [7, 7], kernel: [3, 3], pads: [1, 1, 1, 1], group: 16 },
  { n: 2, c: 10, o: 10, sides: [6, 7], kernel: [3, 3], pads: [1, 1, 1, 1], group: 10 },
  { n: 2, c: 24, o: 24, sides: [8, 8], kernel: [3, 3], pads: [1, 1, 1, 1], strides: [2, 2], group: 24 },
  { n: 2, c: 24, o: 24, sides: [8, 8], kernel: [3, 3], pads: [0, 0, 1, 1], strides: [2, 2], group: 24 },
  { n: 2, c: 8, o: 8, sides: [9, 9], kernel: [5, 5], pads: [2, 2, 2, 2], strides: [2, 2], group: 8 },
  { n: 2, c: 8, o: 8, sides: [9, 9], kernel: [3, 3], pads: [2, 2, 2, 2], dilations: [2, 2], group: 8 },
  { n: 2, c: 8, o: 16, sides: [6, 6], kernel: [3, 3], pads: [1, 1, 1, 1], group: 8 },
  { n: 2, c: 32, o: 32, sides: [6, 6], kernel: [3, 3], pads: [1, 1, 1, 1], group: 2 },
  { n: 2, c: 32, o: 32, sides: [6, 6], kernel: [3, 3], pads: [1, 1, 1, 1], group: 2, strides: [2, 2] },
  { n: 2, c: 12, o: 6, sides: [6, 6], kernel: [3, 3], pads: [1, 1, 1, 1], group: 3 },
  { n: 2, c: 3, o: 16, sides: [8, 8], kernel: [4, 4], strides: [4, 4] },
  { n: 2, c: 16, o: 24, sides: [6, 6], kernel: [2, 2], strides: [2, 2] },
  { n: 2, c: 8, o: 8, sides: [5, 5], kernel: [3, 3], pads: [3, 3, 3, 3] },
  { n: 2, c: 8, o: 8, sides: [4, 4], kernel: [3, 3] },
  { n: 2, c: 8, o: 8, sides: [9, 4], kernel: [1, 3], pads: [0, 1, 0, 1] },
  { n: 2, c: 8, o: 8, sides: [10, 10], kernel: [3, 3], strides: [3, 3] },
  { n: 2, c: 8, o: 16, sides: [9], kernel: [3], pads: [1, 1], strides: [2] },
  { n: 2, c: 3, o: 4, sides: [4, 5, 4], kernel: [3, 3, 3], pads: [1, 1, 1, 1, 1, 1] },
];

const part = (name: string, value: readonly number[] | number | undefined): string =>
  value === undefined ? '' : ` ${name} ${Array.isArray(value) ? value.join('x') : value}`;

export function describeConvolution(k: Convolution): string {
  return (
    `${k.n}x${k.c}x${k.sides.join('x')} -> ${k.o}, kernel ${k.kernel.join('x')}` +
    part('stride', k.strides) +
    part('pads', k.pads) +
    part('dilation', k.dilations) +
    part('group', k.group)
  );
}

export function convolutionShapes(k: Convolution) {
  const window: Window = {
    kernel: k.kernel,
    strides: k.strides ?? k.kernel.map(() => 1),
    pads: k.pads ?? [...k.kernel, ...k.kernel].map(() => 0),
    dilations: k.dilations ?? k.kernel.map(() => 1),
    group: k.group ?? 1,
  };
  const x = [k.n, k.c, ...k.sides];
  const w = [k.o, k.c / window.group!, ...k.kernel];
  const y = [k.n, k.o, ...outputSides(window, k.sides)];
  const attributes = {
    kernel_shape: window.kernel,
    strides: window.strides,
    pads: window.pads,
    dilations: window.dilations,
    group: window.group!,
  };
  return { window, x, w, y, attributes };
}

function outputSides({ kernel, strides, pads, dilations }: Window, sides: readonly number[], ceil = false): number[] {
  return sides.map((side, i) => {
    const room = (side + pads[i]! + pads[sides.length + i]! - dilations[i]! * (kernel[i]! - 1) - 1) / strides[i]!;
    let count = (ceil ? Math.ceil(room) : Math.floor(room)) + 1;
    // The last window must start inside X or the padding before it.
    if (ceil && (count - 1) * strides[i]! >= side + pads[i]!) count--;
    return count;
  });
}

function convolutionCases(): Case[] {
  return CONVOLUTIONS.flatMap((k): Case[] => {
    const { window, x, w, y, attributes } = convolutionShapes(k);
    const [tx, tw, dy] = [random(x), random(w), random(y)];
    const name = describeConvolution(k);
    return [
      {
        name,
        opType: 'ConvGradInput',
        inputs: [dy, tw],
        attributes: { ...attributes, input_shape: x },
        expected: [direct.convolutionInputGradient(values(dy), values(tw), x, window)],
      },
      {
        name,
        opType: 'ConvGradWeight',
        inputs: [dy, tx],
        attributes: { ...attributes, weight_shape: w },
        expected: [direct.convolutionWeightGradient(values(dy), values(tx), w, window)],
      },
    ];
  });
}

const POOLS: readonly { x: number[]; window: Window; ceil?: boolean }[] = [
  { x: [2, 16, 8, 8], window: { kernel: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0], dilations: [1, 1] } },
  { x: [2, 16, 9, 9], window: { kernel: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1], dilations: [1, 1] } },
  { x: [2, 10, 7, 8], window: { kernel: [3, 3], strides: [2, 2], pads: [0, 0, 0, 0], dilations: [1, 1] }, ceil: true },
  { x: [2, 8, 6, 6], window: { kernel: [2, 2], strides: [2, 2], pads: [1, 0, 0, 1], dilations: [1, 1] }, ceil: true },
  { x: [2, 8, 7, 7], window: { kernel: [3, 3], strides: [1, 1], pads: [1, 1, 1, 1], dilations: [1, 1] } },
  { x: [2, 8, 8, 8], window: { kernel: [2, 3], strides: [1, 2], pads: [0, 1, 1, 0], dilations: [1, 1] } },
  { x: [2, 8, 9, 9], window: { kernel: [2, 2], strides: [1, 1], pads: [0, 0, 0, 0], dilations: [2, 2] } },
  { x: [2, 3, 9], window: { kernel: [3], strides: [2], pads: [1, 1], dilations: [1] } },
];

function poolingCases(): Case[] {
  const cases: Case[] = [];
  for (const { x, window, ceil } of POOLS) {
    const y = [...x.slice(0, 2), ...outputSides(window, x.slice(2), ceil)];
    const attributes = {
      kernel_shape: window.kernel,
      strides: window.strides,
      pads: window.pads,
      dilations: window.dilations,
      ceil_mode: ceil ? 1 : 0,
    };
    const name = `${x.join('x')} kernel ${window.kernel.join('x')} stride ${window.strides.join('x')} pads ${window.pads} dilation ${window.dilations.join('x')}${ceil ? ' ceil' : ''}`;
    const dy = random(y);
    const tx = coarse(x, 1);
    cases.push({
      name,
      opType: 'MaxPoolGrad',
      inputs: [dy, tx, random(y)],
      attributes,
      expected: [direct.maxPoolGradient(values(dy), values(tx), window)],
    });
    for (const includePad of [false, true])
      cases.push({
        name: `${name}${includePad ? ' padding counts' : ''}`,
        opType: 'AveragePoolGrad',
        inputs: [dy],
        attributes: { ...attributes, count_include_pad: includePad ? 1 : 0, input_shape: x },
        expected: [direct.averagePoolGradient(values(dy), x, { ...window, includePad })],
      });
  }
  for (const x of [
    [2, 16, 4, 5],
    [2, 10, 3, 3],
    [2, 8, 1, 1],
    [2, 3, 6],
  ]) {
    const dy = random([...x.slice(0, 2), ...x.slice(2).map(() => 1)]);
    const inner = x.slice(2).reduce((a, b) => a * b, 1);
    cases.push({
      name: x.join('x'),
      opType: 'GlobalAveragePoolGrad',
      inputs: [dy],
      attributes: { input_shape: x },
      expected: [direct.map(direct.empty(x), (_, i) => (dy.data[Math.floor(i / inner)] as number) / inner)],
    });
  }
  return cases;
}

const SHAPES = [
  [2, 16, 5, 4],
  [3, 10, 3, 3],
  [4, 24],
  [2, 3, 7],
] as const;

/** For ways that are taken from some size on; with one row. */
const LARGE = [1, 8, 512, 512] as const;
const LARGE_ROW = 1;

function activationCases(): Case[] {
  const rows: [string, Record<string, Attribute>, (dy: number, x: number) => number, ((x: number) => number)?][] = [
    ['ReluGrad', {}, (dy, y) => (y > 0 ? dy : 0), (x) => Math.max(0, x)],
    ['ClipGrad', { min: float(0), max: float(1) }, (dy, x) => (x > 0 && x < 1 ? dy : 0)],
    ['ClipGrad', { min: float(-0.5), max: float(0.25) }, (dy, x) => (x > -0.5 && x < 0.25 ? dy : 0)],
    ['ClipGrad', { min: float(-Infinity), max: float(0.75) }, (dy, x) => (x < 0.75 ? dy : 0)],
    ['ClipGrad', { min: float(-1), max: float(Infinity) }, (dy, x) => (x > -1 ? dy : 0)],
    ['ClipGrad', { min: float(-Infinity), max: float(Infinity) }, (dy) => dy],
    ['LeakyReluGrad', { alpha: float(0.25) }, (dy, x) => (x > 0 ? dy : 0.25 * dy)],
    ['LeakyReluGrad', { alpha: float(1.5) }, (dy, x) => (x > 0 ? dy : 1.5 * dy)],
    ['LeakyReluGrad', { alpha: float(-0.5) }, (dy, x) => (x > 0 ? dy : -0.5 * dy)],
    [
      'HardSigmoidGrad',
      { alpha: float(0.5) },
      (dy, y) => (y > 0 && y < 1 ? 0.5 * dy : 0),
      (x) => Math.min(1, Math.max(0, x)),
    ],
    ['HardSwishGrad', {}, (dy, x) => dy * (x <= -3 ? 0 : x >= 3 ? 1 : x / 3 + 0.5), (x) => 2 * x],
  ];
  return rows.flatMap(([opType, attributes, f, prepare], row) =>
    (row === LARGE_ROW ? [...SHAPES, LARGE] : SHAPES).map((shape): Case => {
      const dy = random(shape);
      const raw = coarse(shape);
      const x = prepare ? fromNumbers('float32', shape, Array.from(raw.data as Float32Array, prepare)) : raw;
      const text = Object.entries(attributes)
        .map(([key, { value }]) => ` ${key} ${String(value)}`)
        .join('');
      return {
        name: `${shape.join('x')}${text}`,
        opType,
        inputs: [dy, x],
        attributes,
        expected: [direct.map(values(dy), (d, i) => f(d, x.data[i] as number))],
      };
    }),
  );
}

const total = (list: readonly number[]): number => list.reduce((sum, value) => sum + value, 0);

const f32 = (v: Values): Tensor => fromNumbers('float32', v.shape, [...v.data]);

function channelCases(): Case[] {
  return SHAPES.flatMap((shape): Case[] => {
    const [a, b, scale, bias] = [random(shape), random(shape), random([shape[1]]), random([shape[1]])];
    // A mean that is large against the deviation.
    const x = fromNumbers(
      'float32',
      shape,
      Array.from(b.data as Float32Array, (value, i) => value + direct.channelOf(shape, i)),
    );
    const name = shape.join('x');
    const [va, vx] = [values(a), values(x)];
    const product = direct.map(va, (value, i) => value * vx.data[i]!);
    const mean = direct.perChannel(vx, (list) => total(list) / list.length);
    const variance = direct.perChannel(vx, (list, c) => total(list.map((v) => (v - mean.data[c]!) ** 2)) / list.length);
    const epsilon = 1e-3;
    const inverse = variance.data.map((v) => 1 / Math.sqrt(v + epsilon));
    const channel = (i: number): number => direct.channelOf(shape, i);
    const normal = direct.map(vx, (v, i) => (v - mean.data[channel(i)]!) * inverse[channel(i)]!);
    const [s, t] = [values(scale), values(bias)];
    const dbias = direct.perChannel(va, total);
    const dscale = direct.perChannel(
      direct.map(va, (d, i) => d * normal.data[i]!),
      total,
    );
    const count = va.data.length / shape[1];
    const dx = direct.map(va, (d, i) => {
      const c = channel(i);
      return s.data[c]! * inverse[c]! * (d - dbias.data[c]! / count - (normal.data[i]! * dscale.data[c]!) / count);
    });
    return [
      { name, opType: 'ChannelSum', inputs: [a], attributes: {}, expected: [dbias] },
      { name, opType: 'ChannelDot', inputs: [a, x], attributes: {}, expected: [direct.perChannel(product, total)] },
      {
        name,
        opType: 'BatchNormTraining',
        inputs: [x, scale, bias],
        attributes: { epsilon: float(epsilon) },
        expected: [direct.map(normal, (v, i) => v * s.data[channel(i)]! + t.data[channel(i)]!), mean, variance],
      },
      {
        name,
        opType: 'BatchNormTrainingGrad',
        inputs: [a, x, scale, f32(mean), f32(variance)],
        attributes: { epsilon: float(epsilon) },
        expected: [dx, dscale, dbias],
      },
    ];
  });
}

function gatherCases(): Case[] {
  const rows: { x: number[]; index: number[]; indexShape: number[]; axis: number }[] = [
    { x: [5, 3, 4], index: [2], indexShape: [], axis: 1 },
    { x: [5, 3, 4], index: [-1], indexShape: [], axis: 0 },
    { x: [5, 3, 4], index: [0, 2, 2, -1], indexShape: [4], axis: 0 },
    { x: [5, 3, 4], index: [0, 2, 2, -1, 1, 1], indexShape: [2, 3], axis: -1 },
  ];
  return rows.flatMap(({ x, index, indexShape, axis }): Case[] => {
    const at = axis < 0 ? axis + x.length : axis;
    const y = [...x.slice(0, at), ...indexShape, ...x.slice(at + 1)];
    const dy = random(y);
    const flat = [...x.slice(0, at), index.length, ...x.slice(at + 1)];
    const dx = direct.empty(x);
    let i = 0;
    for (const place of direct.indices(flat)) {
      const chosen = index[place[at]!]!;
      dx.data[direct.offset(x, place.with(at, chosen < 0 ? chosen + x[at]! : chosen))]! += dy.data[i++] as number;
    }
    const row = {
      name: `${x.join('x')} at [${indexShape}] along ${axis}`,
      opType: 'GatherGrad',
      inputs: [dy, fromNumbers('int64', indexShape, index)],
      attributes: { axis, input_shape: x },
      expected: [dx],
    };
    return [row, { ...row, name: `${row.name}, known`, constant: true }];
  });
}

export const RESIZES: readonly { x: number[]; y: number[]; attributes: Record<string, Attribute | number | string> }[] =
  [
    { x: [2, 8, 4, 4], y: [2, 8, 8, 8], attributes: { mode: 'nearest' } },
    {
      x: [2, 8, 4, 6],
      y: [2, 8, 8, 9],
      attributes: { mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' },
    },
    { x: [2, 10, 5, 7], y: [2, 10, 8, 4], attributes: { mode: 'linear' } },
    {
      x: [2, 8, 5, 7],
      y: [2, 8, 8, 4],
      attributes: { mode: 'linear', coordinate_transformation_mode: 'align_corners' },
    },
    {
      x: [2, 8, 5, 7],
      y: [2, 8, 1, 12],
      attributes: { mode: 'linear', coordinate_transformation_mode: 'pytorch_half_pixel' },
    },
    { x: [2, 8, 9, 7], y: [2, 8, 4, 3], attributes: { mode: 'linear', antialias: 1 } },
    { x: [2, 8, 9, 7], y: [2, 8, 4, 3], attributes: { mode: 'linear', antialias: 1, exclude_outside: 1 } },
    { x: [2, 8, 6, 6], y: [2, 8, 9, 4], attributes: { mode: 'cubic', cubic_coeff_a: float(-0.5) } },
    { x: [2, 8, 6, 6], y: [2, 8, 9, 4], attributes: { mode: 'cubic', exclude_outside: 1 } },
    {
      x: [2, 8, 9, 8],
      y: [2, 8, 4, 3],
      attributes: { mode: 'cubic', antialias: 1, exclude_outside: 1, cubic_coeff_a: float(-0.5) },
    },
    {
      x: [2, 8, 5, 5],
      y: [2, 8, 3, 3],
      attributes: { mode: 'linear', coordinate_transformation_mode: 'half_pixel_symmetric' },
    },
  ];

/** `matrix(i)` is the forward op on one-hot input i: the test makes it with the engine's own Resize. */
export function resizeCase({ x, y, attributes }: (typeof RESIZES)[number], forward: (dy: Values) => Values): Case {
  const dy = random(y);
  return {
    name: `${x.join('x')} -> ${y.join('x')} ${JSON.stringify(attributes)}`,
    opType: 'ResizeGrad',
    inputs: [dy],
    attributes: { ...attributes, input_shape: x, scales: floats(y.map((side, i) => side / x[i]!)) },
    expected: [forward(values(dy))],
  };
}

export const CASES: readonly Case[] = [
  ...convolutionCases(),
  ...poolingCases(),
  ...activationCases(),
  ...channelCases(),
  ...gatherCases(),
];

/** Adds a case's op on `inputs`, its outputs as `output0`, `output1`, ... */
export function addCase(b: GraphBuilder, row: Case, inputs: readonly string[]): void {
  const outputs = row.expected.map((_, i) => `output${i}`);
  const made = b.ops(row.opType, inputs, { ...row.attributes }, { domain: GRADIENT_DOMAIN, outputs });
  for (const output of made) b.output(output);
}
