import { randomStream } from '../../src/core/random.ts';
import { fromNumbers, int64, int64Scalar, sizeOf, type Tensor } from '../../src/core/tensor.ts';
import { GraphBuilder, type AttributeInput } from '../../src/onnx/builder.ts';
import { float, floats, GRADIENT_DOMAIN, MICROSOFT_DOMAIN, type Graph } from '../../src/onnx/graph.ts';

/** How an input of a row is filled: a floating one by its shape (normal numbers) or a range, others as they are. */
export type Operand = readonly number[] | Range | Tensor | undefined;

interface Range {
  readonly shape: readonly number[];
  readonly low: number;
  readonly high: number;
}

/** One op in one variety: its inputs are drawn, its gradient is checked by every floating one. */
export interface Row {
  readonly op: string;
  readonly what: string;
  readonly inputs: readonly Operand[];
  readonly attributes: Record<string, AttributeInput>;
  readonly outputs: number;
  /** Outputs that the loss depends on; default all floating ones. */
  readonly differentiated?: readonly number[];
  readonly domain?: string;
  /** Why ONNX Runtime is no witness for this row's forward value. */
  readonly engineDiffers?: string;
}

type Extra = Partial<Pick<Row, 'outputs' | 'differentiated' | 'domain' | 'engineDiffers'>>;

function row(
  op: string,
  what: string,
  inputs: readonly Operand[],
  attributes: Record<string, AttributeInput> = {},
  extra: Extra = {},
): Row {
  return { op, what, inputs, attributes, outputs: 1, ...extra };
}

const between = (low: number, high: number, shape: readonly number[] = [2, 3]): Range => ({ shape, low, high });
const float64 = (values: readonly number[], shape: readonly number[] = [values.length]): Tensor =>
  fromNumbers('float64', shape, values);
const scalar = (value: number): Tensor => float64([value], []);
const bools = (values: readonly number[], shape: readonly number[]): Tensor => fromNumbers('bool', shape, values);
const microsoft = { domain: MICROSOFT_DOMAIN };

const X = [2, 3, 5, 6];

/** Rows of ops of one input and no attributes. */
const elementary: Row[] = [
  ...['Neg', 'Abs', 'Exp', 'Sin', 'Cos', 'Tan', 'Atan', 'Sinh', 'Cosh', 'Asinh', 'Erf', 'Identity'].map((op) =>
    row(op, 'any number', [[2, 3]]),
  ),
  ...['Log', 'Sqrt', 'Reciprocal'].map((op) => row(op, 'positive numbers', [between(0.3, 3)])),
  ...['Asin', 'Acos', 'Atanh'].map((op) => row(op, 'inside ±1', [between(-0.8, 0.8)])),
  row('Acosh', 'above 1', [between(1.2, 3)]),
  row('Cast', 'to float64', [[2, 3]], { to: 11 }),
  row('Mod', 'fmod', [between(0.1, 5), between(0.7, 0.9)], { fmod: 1 }),
];

const activations: Row[] = [
  ...['Relu', 'HardSwish', 'Mish', 'Softplus', 'Softsign', 'Tanh', 'Sigmoid', 'Gelu'].map((op) =>
    row(op, 'default', [between(-4, 4, [4, 5])]),
  ),
  row('Gelu', 'tanh', [between(-4, 4, [4, 5])], { approximate: 'tanh' }),
  row('LeakyRelu', 'alpha 0.2', [[4, 5]], { alpha: float(0.2) }),
  row('LeakyRelu', 'negative alpha', [[4, 5]], { alpha: float(-0.3) }),
  row('PRelu', 'a slope a channel', [X, [3, 1, 1]]),
  row('PRelu', 'one slope', [X, [1]]),
  row('Elu', 'alpha 1.5', [[4, 5]], { alpha: float(1.5) }),
  row('Selu', 'default', [[4, 5]]),
  row('Celu', 'alpha 2', [[4, 5]], { alpha: float(2) }),
  row('ThresholdedRelu', 'alpha 0.5', [[4, 5]], { alpha: float(0.5) }),
  row('Shrink', 'lambd 0.4, bias 0.2', [[4, 5]], { lambd: float(0.4), bias: float(0.2) }),
  row('HardSigmoid', 'default', [between(-4, 4, [4, 5])]),
  row('HardSigmoid', 'as PyTorch', [between(-4, 4, [4, 5])], { alpha: float(1 / 6), beta: float(0.5) }),
  row('Swish', 'alpha 1', [[4, 5]]),
  row('Swish', 'alpha 1.3', [[4, 5]], { alpha: float(1.3) }),
  row('Clip', 'both bounds', [between(-4, 4, [4, 5]), scalar(-1), scalar(2)]),
  row('Clip', 'upper bound', [between(-4, 4, [4, 5]), undefined, scalar(1)]),
  row('Clip', 'bounds that are computed', [between(-4, 4, [4, 5]), between(-2, -1, []), between(1, 2, [])]),
  row('Softmax', 'last axis', [[3, 4]]),
  row('Softmax', 'axis 1', [[2, 3, 4]], { axis: 1 }),
  row('LogSoftmax', 'last axis', [[3, 4]]),
  row('LogSoftmax', 'axis 0', [[3, 4]], { axis: 0 }),
  row('Gelu', 'ONNX Runtime', [[4, 5]], {}, microsoft),
  row('QuickGelu', 'default', [[4, 5]], {}, microsoft),
  row('FastGelu', 'with bias', [[4, 5], [5]], {}, microsoft),
  row('FastGelu', 'without bias', [[4, 5]], {}, microsoft),
  row('BiasGelu', 'default', [[4, 5], [5]], {}, microsoft),
];

const arithmetic: Row[] = [
  ...['Add', 'Sub', 'Mul'].flatMap((op) => [
    row(op, 'same shape', [X, X]),
    row(op, 'a number a channel', [X, [3, 1, 1]]),
    row(op, 'a number a channel of rank 4', [[1, 3, 1, 1], X]),
    row(op, 'a number an image and channel', [X, [2, 3, 1, 1]]),
    row(op, 'last axis', [[2, 4, 5], [5]]),
    row(op, 'scalar', [[], [2, 3]]),
    row(op, 'both broadcast', [
      [3, 1],
      [2, 1, 4],
    ]),
  ]),
  row('Div', 'same shape', [[2, 3], between(0.5, 2)]),
  row('Div', 'broadcast', [X, between(0.5, 2, [3, 1, 1])]),
  row('Pow', 'square', [[2, 3], scalar(2)]),
  row('Pow', 'cube', [[2, 3], scalar(3)]),
  row('Pow', 'root', [between(0.5, 2), scalar(0.5)]),
  row('Pow', 'first', [[2, 3], scalar(1)]),
  row('Pow', 'other constant', [between(0.5, 2), scalar(-1.5)]),
  row('Pow', 'by the exponent', [between(0.5, 2), [3]]),
  row('Max', 'three, broadcast', [[2, 3], [3], [2, 1]]),
  row('Min', 'two', [
    [2, 3],
    [2, 3],
  ]),
  row('Max', 'one', [[2, 3]]),
  row('Sum', 'three, broadcast', [[2, 3], [3], [2, 1]]),
  row('Mean', 'three, broadcast', [[2, 3], [3], [2, 1]]),
  row('Where', 'broadcast', [bools([1, 0, 1], [3]), [2, 3], [2, 1]]),
];

const reductions: Row[] = [
  ...[
    'ReduceSum',
    'ReduceMean',
    'ReduceSumSquare',
    'ReduceL1',
    'ReduceL2',
    'ReduceLogSumExp',
    'ReduceMax',
    'ReduceMin',
    'ReduceProd',
  ].flatMap((op) => [
    row(op, 'one axis, dropped', [[2, 3, 4], int64([1])], { keepdims: 0 }),
    row(op, 'two axes, kept', [[2, 3, 4], int64([-1, 0])], { keepdims: 1 }),
    row(op, 'all', [[2, 3]], { keepdims: 0 }),
  ]),
  row('ReduceLogSum', 'one axis', [between(0.5, 2, [2, 3, 4]), int64([1])], { keepdims: 0 }),
  row('ReduceMean', 'over the image', [X, int64([2, 3])], { keepdims: 1 }),
  row('ReduceMean', 'over the image, dropped', [X, int64([-2, -1])], { keepdims: 0 }),
  row('ReduceSum', 'of no axes', [[2, 3], int64([])], { noop_with_empty_axes: 1 }),
  row('CumSum', 'default', [[3, 4], int64Scalar(1)]),
  row('CumSum', 'exclusive, reverse', [[3, 4], int64Scalar(0)], { exclusive: 1, reverse: 1 }),
];

const rearranging: Row[] = [
  row('Reshape', 'inferred side', [[2, 3, 4], int64([0, -1])]),
  row('Flatten', 'axis 2', [[2, 3, 4], undefined], { axis: 2 }),
  row('Squeeze', 'all', [[2, 1, 3, 1]]),
  row('Squeeze', 'one axis', [[2, 1, 3, 1], int64([1])]),
  row('Unsqueeze', 'two axes', [[2, 3], int64([0, -1])]),
  row('Transpose', 'cycle', [[2, 3, 4]], { perm: [2, 0, 1] }),
  row('Transpose', 'default', [[2, 3, 4]]),
  row('Expand', 'new axis', [[3, 1], int64([2, 3, 4])]),
  row('Tile', 'two axes', [[2, 3], int64([2, 3])]),
  row(
    'Concat',
    'axis 1',
    [
      [2, 3],
      [2, 1],
      [2, 2],
    ],
    { axis: 1 },
  ),
  row(
    'Concat',
    'negative axis',
    [
      [2, 3],
      [2, 1],
    ],
    { axis: -1 },
  ),
  row('Split', 'sizes', [[2, 6], int64([1, 3, 2])], { axis: 1 }, { outputs: 3 }),
  row('Split', 'equal', [[6, 2]], { num_outputs: 3 }, { outputs: 3 }),
  row('Split', 'one part unused', [[2, 6], int64([1, 3, 2])], { axis: 1 }, { outputs: 3, differentiated: [1] }),
  row('Slice', 'inside', [[4, 5], int64([1, -3]), int64([3, 100])]),
  row('Slice', 'every second', [[4, 7], int64([1]), int64([7]), int64([1]), int64([2])]),
  row('Slice', 'every second of two axes', [[1, 2, 5, 6], int64([0, 1]), int64([5, 6]), int64([2, 3]), int64([2, 2])]),
  row('Slice', 'every third, from the second', [[8, 2], int64([1]), int64([8]), int64([0]), int64([3])]),
  row('Slice', 'backwards', [[4, 7], int64([-1, 3]), int64([-100, 0]), int64([1, 0]), int64([-2, -1])]),
  row('Pad', 'constant', [[2, 3], int64([1, 0, 0, 2]), between(0.4, 0.6, [])]),
  row('Pad', 'cut', [[4, 5], int64([-1, 1, 0, -2])]),
  row('Pad', 'some axes', [[2, 3, 4], int64([1, 2]), undefined, int64([-1])]),
  row('Pad', 'reflect', [[3, 4], int64([2, 1, 1, 3])], { mode: 'reflect' }),
  row('Pad', 'edge', [[3, 4], int64([2, 1, 1, 3])], { mode: 'edge' }),
  row('Pad', 'wrap', [[3, 4], int64([2, 1, 1, 3])], { mode: 'wrap' }),
  row('DepthToSpace', 'DCR', [[2, 8, 2, 3]], { blocksize: 2 }),
  row('DepthToSpace', 'CRD', [[2, 8, 2, 3]], { blocksize: 2, mode: 'CRD' }),
  row('SpaceToDepth', 'default', [[2, 2, 4, 6]], { blocksize: 2 }),
  row('Trilu', 'upper', [[2, 4, 4]]),
  row('Trilu', 'lower, shifted', [[2, 4, 4], int64Scalar(1)], { upper: 0 }),
  row('ReverseSequence', 'default', [[4, 3], int64([1, 4, 2])]),
  row('CenterCropPad', 'one cut, one padded', [[5, 4], int64([2, 7])]),
];

const indexing: Row[] = [
  row('Gather', 'one known index', [[3, 4], int64Scalar(-1)], { axis: 1 }),
  row('Gather', 'several, repeated', [[3, 4], int64([2, 0, 2, -1], [2, 2])], { axis: 0 }),
  row('GatherElements', 'axis 1', [[2, 3], int64([0, 2, 1, 1], [2, 2])], { axis: 1 }),
  row('GatherND', 'rows', [[3, 4, 2], int64([0, 1, 2, 3, 0, 1], [3, 2])]),
  row('ScatterElements', 'none', [[3, 3], int64([1, 0, 2, 2, 1, 0], [2, 3]), [2, 3]], { axis: 0 }),
  row('ScatterElements', 'add', [[3, 3], int64([1, 0, 1, 1, 0, 0], [2, 3]), [2, 3]], { axis: 0, reduction: 'add' }),
  row('ScatterND', 'none', [[4, 2], int64([2, 0], [2, 1]), [2, 2]]),
  row('ScatterND', 'add', [[4, 2], int64([2, 2, 0], [3, 1]), [3, 2]], { reduction: 'add' }),
  row('TopK', 'largest', [[3, 5], int64([2])], { axis: 1 }, { outputs: 2 }),
];

const convolution: Row[] = [
  row('Conv', 'with bias', [X, [4, 3, 3, 3], [4]], { pads: [1, 1, 1, 1] }),
  row('Conv', 'stride 2', [X, [4, 3, 3, 3]], { strides: [2, 2], pads: [1, 1, 1, 1] }),
  row(
    'Conv',
    'uneven pads, strides, dilations',
    [
      [2, 3, 8, 9],
      [4, 3, 3, 2],
    ],
    { strides: [2, 3], pads: [0, 1, 2, 1], dilations: [2, 1] },
  ),
  row(
    'Conv',
    'stride that leaves columns out',
    [
      [1, 2, 6, 6],
      [3, 2, 3, 3],
    ],
    { strides: [2, 2] },
  ),
  row('Conv', 'groups', [[2, 4, 5, 5], [6, 2, 3, 3], [6]], { group: 2, pads: [1, 1, 1, 1] }),
  row(
    'Conv',
    'depthwise',
    [
      [2, 4, 5, 5],
      [4, 1, 3, 3],
    ],
    { group: 4, strides: [2, 2], pads: [1, 1, 1, 1] },
  ),
  row('Conv', '1x1', [X, [4, 3, 1, 1]]),
  row(
    'Conv',
    'SAME_UPPER',
    [
      [1, 2, 5, 6],
      [3, 2, 4, 4],
    ],
    { strides: [2, 2], auto_pad: 'SAME_UPPER' },
  ),
  row(
    'Conv',
    'SAME_LOWER',
    [
      [1, 2, 5, 6],
      [3, 2, 4, 4],
    ],
    { strides: [2, 2], auto_pad: 'SAME_LOWER' },
  ),
  row(
    'Conv',
    'VALID',
    [
      [1, 2, 5, 6],
      [3, 2, 3, 3],
    ],
    { auto_pad: 'VALID' },
  ),
  row('Conv', 'one axis', [[2, 3, 7], [4, 3, 3], [4]], { strides: [2], pads: [1, 1] }),
  row(
    'Conv',
    'three axes',
    [
      [1, 2, 3, 4, 3],
      [2, 2, 2, 2, 2],
    ],
    { pads: [1, 0, 0, 0, 1, 0] },
  ),
  row('ConvTranspose', 'with bias', [[2, 3, 4, 3], [3, 2, 3, 3], [2]]),
  row(
    'ConvTranspose',
    'stride, pads, output padding',
    [
      [2, 3, 4, 3],
      [3, 2, 3, 3],
    ],
    { strides: [2, 2], pads: [1, 0, 1, 1], output_padding: [1, 0] },
  ),
  row(
    'ConvTranspose',
    'groups, dilations',
    [
      [1, 4, 3, 3],
      [4, 2, 2, 2],
    ],
    { group: 2, dilations: [2, 1] },
  ),
  row(
    'ConvTranspose',
    'output shape',
    [
      [1, 2, 3, 3],
      [2, 2, 3, 3],
    ],
    { strides: [2, 2], output_shape: [6, 5] },
  ),
  row(
    'ConvTranspose',
    'SAME_UPPER',
    [
      [1, 2, 3, 3],
      [2, 2, 3, 3],
    ],
    { strides: [2, 2], auto_pad: 'SAME_UPPER' },
  ),
  row('Col2Im', 'overlapping, padded', [[2, 3 * 6, 15], int64([5, 6]), int64([2, 3])], {
    strides: [2, 1],
    pads: [1, 0, 0, 1],
    dilations: [1, 1],
  }),
  row(
    'FusedConv',
    'sum and Clip',
    [X, [3, 3, 3, 3], [3], X],
    { pads: [1, 1, 1, 1], activation: 'Clip', activation_params: floats([-2, 2]) },
    microsoft,
  ),
  row('FusedConv', 'Relu', [X, [4, 3, 1, 1]], { activation: 'Relu' }, microsoft),
  row('MaxPool', '3x3, stride 2', [X], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }),
  row('MaxPool', 'ceil', [[1, 2, 6, 6]], { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 }),
  row('MaxPool', 'dilations', [X], { kernel_shape: [2, 2], dilations: [2, 3] }),
  row('MaxPool', 'SAME_UPPER', [X], { kernel_shape: [2, 3], strides: [2, 2], auto_pad: 'SAME_UPPER' }),
  row('AveragePool', '3x3, stride 2', [X], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }),
  row('AveragePool', 'pads counted', [X], { kernel_shape: [3, 3], pads: [1, 1, 1, 1], count_include_pad: 1 }),
  row('AveragePool', 'ceil', [[1, 2, 6, 6]], { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 }),
  row('AveragePool', 'ceil, pads counted', [[1, 2, 6, 6]], {
    kernel_shape: [3, 3],
    strides: [2, 2],
    pads: [1, 1, 0, 0],
    ceil_mode: 1,
    count_include_pad: 1,
  }),
  row('AveragePool', 'one axis', [[2, 3, 7]], { kernel_shape: [2], strides: [2] }),
  row('LpPool', 'p 2', [X], { kernel_shape: [2, 2], strides: [2, 2] }),
  row('LpPool', 'p 3', [X], { kernel_shape: [2, 2], p: 3, pads: [1, 0, 0, 1] }),
  row('GlobalAveragePool', 'default', [X]),
  row('GlobalMaxPool', 'default', [X]),
  row('GlobalLpPool', 'p 2', [X]),
];

const normalization: Row[] = [
  row('BatchNormalization', 'fixed statistics', [X, [3], [3], float64([0.1, -0.4, 0.3]), float64([0.6, 1.1, 1.8])]),
  row(
    'BatchNormTraining',
    'default',
    [X, [3], [3]],
    { epsilon: float(1e-3) },
    { outputs: 3, differentiated: [0], domain: GRADIENT_DOMAIN },
  ),
  row('LayerNormalization', 'last axis', [[2, 3, 6], [6], [6]]),
  row(
    'LayerNormalization',
    'two axes, no bias',
    [
      [2, 3, 4],
      [3, 4],
    ],
    { axis: 1, epsilon: float(1e-3) },
  ),
  row('RMSNormalization', 'last axis', [[2, 3, 6], [6]]),
  row(
    'RMSNormalization',
    'two axes',
    [
      [2, 3, 4],
      [3, 4],
    ],
    { axis: 1, epsilon: float(1e-3) },
  ),
  row('GroupNormalization', 'two groups', [[2, 4, 3, 3], [4], [4]], { num_groups: 2 }),
  row('InstanceNormalization', 'default', [X, [3], [3]]),
  row('MeanVarianceNormalization', 'default', [X]),
  row('MeanVarianceNormalization', 'over the channels', [X], { axes: [1] }),
  row('LpNormalization', 'p 2', [[3, 4]]),
  row('LpNormalization', 'p 1, axis 0', [[3, 4]], { p: 1, axis: 0 }),
  row('LRN', 'size 3', [[2, 5, 2, 2]], { size: 3, alpha: float(0.5), beta: float(0.6), bias: float(1.5) }),
  row('LRN', 'even size', [[1, 5, 2]], { size: 4, alpha: float(0.5) }, { engineDiffers: 'takes odd sizes only' }),
  row('SimplifiedLayerNormalization', 'last axis', [[2, 3, 6], [6]], { axis: -1 }),
  row('SkipSimplifiedLayerNormalization', 'default', [[2, 3, 6], [2, 3, 6], [6]], { epsilon: float(1e-5) }, microsoft),
  row(
    'SkipLayerNormalization',
    'with biases',
    [[2, 3, 6], [2, 3, 6], [6], [6], [6]],
    { epsilon: float(1e-5) },
    microsoft,
  ),
];

const products: Row[] = [
  row('MatMul', 'matrices', [
    [3, 4],
    [4, 5],
  ]),
  row('MatMul', 'rows of a batch', [
    [2, 3, 4],
    [4, 5],
  ]),
  row('MatMul', 'batched', [
    [2, 3, 4],
    [2, 4, 5],
  ]),
  row('MatMul', 'broadcast', [
    [2, 1, 3, 4],
    [3, 4, 5],
  ]),
  row('MatMul', 'matrix by batch', [
    [3, 4],
    [2, 4, 5],
  ]),
  row('MatMul', 'vector by matrix', [[4], [4, 5]]),
  row('MatMul', 'vector by batch', [[4], [2, 4, 5]]),
  row('MatMul', 'matrix by vector', [[3, 4], [4]]),
  row('MatMul', 'batch by vector', [[2, 3, 4], [4]]),
  row('MatMul', 'vectors', [[4], [4]]),
  ...[0, 1].flatMap((transA) =>
    [0, 1].map((transB) =>
      row('Gemm', `transA ${transA}, transB ${transB}`, [transA ? [4, 3] : [3, 4], transB ? [5, 4] : [4, 5], [5]], {
        transA,
        transB,
        alpha: float(0.7),
        beta: float(1.3),
      }),
    ),
  ),
  row('Gemm', 'without c', [
    [3, 4],
    [4, 5],
  ]),
  row('Gemm', 'scalar c', [[3, 4], [4, 5], []]),
  row(
    'FusedMatMul',
    'transposed, scaled',
    [
      [2, 4, 3],
      [2, 5, 4],
    ],
    { transA: 1, transB: 1, alpha: float(0.3) },
    microsoft,
  ),
  row(
    'Einsum',
    'matrix product',
    [
      [3, 4],
      [4, 5],
    ],
    { equation: 'ij,jk->ik' },
  ),
  row(
    'Einsum',
    'attention scores',
    [
      [2, 3, 2, 4],
      [2, 5, 2, 4],
    ],
    { equation: 'bqhd,bkhd->bhqk' },
  ),
  row('Einsum', 'a letter summed alone', [[3, 4], [5]], { equation: 'ij,k->k' }),
  row(
    'Einsum',
    'implicit output',
    [
      [3, 4],
      [4, 5],
    ],
    { equation: 'ij, jk' },
  ),
  row(
    'Einsum',
    'ellipsis that broadcasts',
    [
      [2, 1, 3, 4],
      [3, 4, 5],
    ],
    { equation: '...ij,...jk->...ik' },
    { engineDiffers: 'does not broadcast inside an ellipsis' },
  ),
  row(
    'Einsum',
    'three operands',
    [
      [2, 3],
      [3, 4],
      [4, 2],
    ],
    { equation: 'ab,bc,ca->a' },
  ),
  row('Attention', 'rank 4', [
    [2, 2, 3, 4],
    [2, 2, 5, 4],
    [2, 2, 5, 3],
  ]),
  row(
    'Attention',
    'rank 3, grouped queries',
    [
      [2, 3, 16],
      [2, 5, 8],
      [2, 5, 8],
    ],
    { q_num_heads: 4, kv_num_heads: 2 },
  ),
  row(
    'Attention',
    'added mask, scale, softcap',
    [
      [1, 2, 3, 4],
      [1, 2, 5, 4],
      [1, 2, 5, 4],
      [3, 5],
    ],
    { scale: float(0.4), softcap: float(2) },
  ),
  row('Attention', 'bool mask', [[1, 2, 2, 4], [1, 2, 3, 4], [1, 2, 3, 4], bools([1, 0, 1, 1, 1, 0], [2, 3])]),
  row(
    'Attention',
    'causal',
    [
      [1, 2, 4, 4],
      [1, 2, 4, 4],
      [1, 2, 4, 4],
    ],
    { is_causal: 1 },
  ),
  row('MultiHeadAttention', 'with bias', [[2, 3, 8], [2, 5, 8], [2, 5, 8], [24]], { num_heads: 2 }, microsoft),
];

products.push(
  row('RotaryEmbedding', 'rank 4, by position', [
    [2, 3, 4, 6],
    [5, 3],
    [5, 3],
    int64([0, 1, 2, 3, 4, 1, 0, 2], [2, 4]),
  ]),
  row(
    'RotaryEmbedding',
    'rank 3, part of the features, interleaved',
    [
      [2, 4, 18],
      [2, 4, 2],
      [2, 4, 2],
    ],
    { num_heads: 3, rotary_embedding_dim: 4, interleaved: 1 },
  ),
);

const losses: Row[] = [
  row('SoftmaxCrossEntropyLoss', 'mean', [[4, 3], int64([0, 2, 1, 2])]),
  row(
    'SoftmaxCrossEntropyLoss',
    'weights, one ignored, both outputs',
    [[4, 3], int64([0, 2, -1, 2]), float64([0.5, 1, 2])],
    { ignore_index: -1 },
    { outputs: 2 },
  ),
  row('NegativeLogLikelihoodLoss', 'sum, over places', [[2, 3, 2], int64([0, 2, 1, 2], [2, 2])], { reduction: 'sum' }),
  row('NegativeLogLikelihoodLoss', 'none', [[4, 3], int64([0, 2, 1, 2])], { reduction: 'none' }),
];

const MODES = ['half_pixel', 'asymmetric', 'align_corners', 'pytorch_half_pixel', 'half_pixel_symmetric'];
const resampling: Row[] = [
  ...MODES.flatMap((mode) => [
    row('Resize', `linear up, ${mode}`, [[1, 2, 3, 4], undefined, undefined, int64([1, 2, 5, 7])], {
      mode: 'linear',
      coordinate_transformation_mode: mode,
    }),
    row('Resize', `cubic down, ${mode}`, [[1, 2, 6, 7], undefined, undefined, int64([1, 2, 4, 3])], {
      mode: 'cubic',
      coordinate_transformation_mode: mode,
    }),
    row('Resize', `nearest, ${mode}`, [[1, 2, 3, 4], undefined, undefined, int64([1, 2, 5, 7])], {
      mode: 'nearest',
      coordinate_transformation_mode: mode,
    }),
  ]),
  ...['round_prefer_ceil', 'floor', 'ceil'].map((nearest_mode) =>
    row('Resize', `nearest, ${nearest_mode}`, [[1, 2, 4, 4], undefined, fromNumbers('float32', [4], [1, 1, 2, 0.5])], {
      nearest_mode,
      coordinate_transformation_mode: 'asymmetric',
    }),
  ),
  row('Resize', 'linear, antialias', [[1, 2, 7, 8], undefined, undefined, int64([1, 2, 3, 4])], {
    mode: 'linear',
    antialias: 1,
  }),
  row('Resize', 'cubic, antialias, axes', [[1, 2, 7, 8], undefined, undefined, int64([3, 5])], {
    mode: 'cubic',
    antialias: 1,
    axes: [2, 3],
    cubic_coeff_a: float(-0.5),
  }),
  row('Resize', 'linear, antialias, outside excluded', [[1, 2, 7, 8], undefined, undefined, int64([1, 2, 3, 4])], {
    mode: 'linear',
    antialias: 1,
    exclude_outside: 1,
  }),
  row('Resize', 'cubic, outside excluded', [[1, 2, 4, 4], undefined, undefined, int64([1, 2, 7, 6])], {
    mode: 'cubic',
    exclude_outside: 1,
  }),
  row('Resize', 'not larger', [[1, 2, 4, 6], undefined, undefined, int64([8, 7])], {
    mode: 'linear',
    axes: [2, 3],
    keep_aspect_ratio_policy: 'not_larger',
  }),
];

for (const padding_mode of ['zeros', 'border', 'reflection'])
  for (const align_corners of [0, 1])
    resampling.push(
      row('AffineGrid', 'flat', [[2, 2, 3], int64([2, 3, 4, 5])]),
      row('AffineGrid', 'solid, corners aligned', [[1, 3, 4], int64([1, 2, 2, 3, 4])], { align_corners: 1 }),
      row(
        'GridSample',
        `linear, ${padding_mode}, align_corners ${align_corners}`,
        [[2, 3, 4, 5], between(-1.6, 1.6, [2, 3, 2, 2])],
        { padding_mode, align_corners },
      ),
    );
resampling.push(row('GridSample', 'nearest', [[2, 3, 4, 5], between(-1.2, 1.2, [2, 3, 2, 2])], { mode: 'nearest' }));

export const rows: readonly Row[] = [
  ...elementary,
  ...activations,
  ...arithmetic,
  ...reductions,
  ...rearranging,
  ...indexing,
  ...convolution,
  ...normalization,
  ...products,
  ...losses,
  ...resampling,
];

/** A graph of one node, its floating inputs `x0`, `x1`, ... of type `dtype`, and values for them. */
export function graphOf(
  { op, what, inputs, attributes, outputs, domain }: Row,
  dtype: 'float64' | 'float32' = 'float64',
): { graph: Graph; feeds: Map<string, Tensor> } {
  const builder = new GraphBuilder(`${op} ${what}`);
  const feeds = new Map<string, Tensor>();
  const names = inputs.map((operand, i) => {
    if (operand === undefined) return '';
    if ('dtype' in operand) {
      const isNumber = operand.dtype === 'float64';
      return builder.constant(isNumber ? fromNumbers(dtype, operand.shape, Array.from(operand.data, Number)) : operand);
    }
    const shape = 'low' in operand ? operand.shape : operand;
    const stream = randomStream('row', op, what, i);
    const draw =
      'low' in operand ? () => operand.low + (operand.high - operand.low) * stream.uniform() : () => stream.normal();
    feeds.set(`x${i}`, fromNumbers(dtype, shape, Array.from({ length: sizeOf(shape) }, draw)));
    return builder.input(`x${i}`, dtype, shape);
  });
  const results = builder.ops(op, names, attributes, {
    name: 'node',
    outputCount: outputs,
    ...(domain === undefined ? {} : { domain }),
  });
  for (const [i, name] of results.entries()) builder.output(name, `y${i}`);
  return { graph: builder.build(), feeds };
}
