import type { LoweringTable } from '../lowering.ts';
import { activationLowerings } from './activations.ts';
import { convolutionLowerings } from './convolution.ts';
import { gatherLowerings } from './gather.ts';
import { normalizationLowerings } from './normalization.ts';
import { poolingLowerings } from './pooling.ts';
import { resamplingLowerings } from './resampling.ts';

/** Every abstract op in standard ONNX: serves on any device, and is what other lowerings are checked against. */
export const plainLowerings = {
  ...activationLowerings,
  ...convolutionLowerings,
  ...gatherLowerings,
  ...normalizationLowerings,
  ...poolingLowerings,
  ...resamplingLowerings,
} satisfies LoweringTable;
