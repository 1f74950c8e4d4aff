import { fromNumbers, int64 } from '../../../src/core/tensor.ts';
import { float } from '../../../src/onnx/graph.ts';
import { between, row, type Row } from './row.ts';

const MODES = ['half_pixel', 'asymmetric', 'align_corners', 'pytorch_half_pixel', 'half_pixel_symmetric'];
export const resampling: Row[] = [
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
