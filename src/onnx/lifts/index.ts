import { axesToInput, dft, split } from './axes.ts';
import type { Lift } from './lift.ts';
import { batchNormalization, dropout, gridSample, groupNormalization, roiAlign } from './normalization.ts';
import { resize } from './resize.ts';
import { softmax } from './softmax.ts';

/**
 * The operators of ONNX's domain whose meaning or form changed between opset 11 and
 * `INTERNAL_OPSET`. All others only gained types, attributes whose default is what went before, or
 * optional inputs.
 */
export const lifts: Readonly<Record<string, Lift>> = {
  BatchNormalization: batchNormalization,
  DFT: dft,
  Dropout: dropout,
  GridSample: gridSample,
  GroupNormalization: groupNormalization,
  Hardmax: softmax,
  LogSoftmax: softmax,
  ReduceL1: axesToInput(18),
  ReduceL2: axesToInput(18),
  ReduceLogSum: axesToInput(18),
  ReduceLogSumExp: axesToInput(18),
  ReduceMax: axesToInput(18),
  ReduceMean: axesToInput(18),
  ReduceMin: axesToInput(18),
  ReduceProd: axesToInput(18),
  ReduceSum: axesToInput(13),
  ReduceSumSquare: axesToInput(18),
  Resize: resize,
  RoiAlign: roiAlign,
  Softmax: softmax,
  Split: split,
  Squeeze: axesToInput(13),
  Unsqueeze: axesToInput(13),
};
