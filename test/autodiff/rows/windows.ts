import { int64 } from '../../../src/core/tensor.ts';
import { float, floats, GRADIENT_DOMAIN } from '../../../src/onnx/graph.ts';
import { float64, microsoft, row, X, type Row } from './row.ts';

export const convolution: Row[] = [
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

export const normalization: Row[] = [
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
