import { activations, arithmetic, elementary } from './elementwise.ts';
import { indexing, rearranging, reductions } from './movement.ts';
import { losses, products } from './products.ts';
import { resampling } from './resampling.ts';
import type { Row } from './row.ts';
import { convolution, normalization } from './windows.ts';

/** One row an op and variety of its attributes: a new op is one more. */
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
