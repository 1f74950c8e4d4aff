import { blockedActivations } from './activations.ts';
import type { BlockedTable } from './blocked-lowering.ts';
import { blockedChannelSums } from './channel-sums.ts';
import { blockedConvolutions } from './convolution.ts';
import { blockedNormalizations } from './normalization.ts';
import { blockedPooling } from './pooling.ts';
import { blockedWeightGradients } from './weight-gradient.ts';

/** Ops that are computed in blocks, by op type; what is not here is element-wise, or done in the plain layout. */
export const blockedLowerings = {
  ...blockedActivations,
  ...blockedChannelSums,
  ...blockedConvolutions,
  ...blockedNormalizations,
  ...blockedPooling,
  ...blockedWeightGradients,
} satisfies BlockedTable;
