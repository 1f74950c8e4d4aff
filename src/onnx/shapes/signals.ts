import { attribute } from '../graph.ts';
import type { InferRule } from '../infer.ts';
import { dataTypeOfCode } from '../data-types.ts';
import { mapSide } from './dimensions.ts';
import { constantNumbers, floatingAt, isPresent, normalizeAxis } from './inputs.ts';

/** Operators of signal processing. */

/** [..., n, ..., 1 or 2] -> [..., n or n / 2 + 1, ..., 2]: real or complex numbers in the last axis. */
const dft: InferRule = (c) => {
  const { dtype, shape } = floatingAt(c, 0);
  const axis = isPresent(c, 2) ? constantNumbers(c, 2)?.[0] : -2;
  if (shape === undefined || axis === undefined) return [{ dtype, shape: undefined }];
  const at = normalizeAxis(axis, shape.length);
  const oneSided = attribute(c.node, 'onesided', 'int', 0) === 1;
  const inverse = attribute(c.node, 'inverse', 'int', 0) === 1;
  const length = isPresent(c, 1) ? (constantNumbers(c, 1)?.[0] ?? c.unknownDim()) : shape[at]!;
  const side = oneSided && !inverse ? mapSide(length, (n) => Math.floor(n / 2) + 1, c) : length;
  const parts = oneSided && inverse ? 1 : 2;
  return [{ dtype, shape: [...shape.with(at, side).slice(0, -1), parts] }];
};

const window: InferRule = (c) => {
  const dtype = dataTypeOfCode(attribute(c.node, 'output_datatype', 'int', 1)) ?? 'float32';
  return [{ dtype, shape: [constantNumbers(c, 0)?.[0] ?? c.unknownDim()] }];
};

export const signalRules: Readonly<Record<string, InferRule>> = {
  BlackmanWindow: window,
  DFT: dft,
  HammingWindow: window,
  HannWindow: window,
};
