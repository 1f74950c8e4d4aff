import type { GraphBuilder } from '../onnx/builder.ts';

/** `mean` over the samples' weights, their `sum`, or `none`: one loss a sample. */
export type Reduction = 'mean' | 'sum' | 'none';

/**
 * Reduces losses [N] to a scalar (or leaves them, for `none`).
 * @param sampleWeights value [N]: what each sample counts for; default 1 each
 * @param normalizers value [N]: what each sample adds to the mean's divisor; default 1 each
 * @throws TypeError for sample weights of another shape
 */
export function reduceLosses(
  b: GraphBuilder,
  losses: string,
  reduction: Reduction,
  sampleWeights: string | undefined,
  normalizers: string | undefined,
): string {
  if (sampleWeights !== undefined && String(b.type(sampleWeights).shape) !== String(b.type(losses).shape))
    throw new TypeError(
      `Sample weights must be one a loss, [${b.type(losses).shape}], got [${b.type(sampleWeights).shape ?? '?'}].`,
    );
  const weighted = sampleWeights === undefined ? losses : b.op('Mul', [losses, sampleWeights]);
  if (reduction === 'none') return weighted;
  if (reduction === 'sum') return sum(b, weighted);
  if (sampleWeights === undefined && normalizers === undefined)
    return b.op('ReduceMean', [weighted], { keepdims: 0 }, { name: 'loss_mean' });
  const shares =
    sampleWeights === undefined || normalizers === undefined
      ? (sampleWeights ?? normalizers)!
      : b.op('Mul', [sampleWeights, normalizers]);
  return b.op('Div', [sum(b, weighted), sum(b, shares)], {}, { name: 'loss_mean' });
}

function sum(b: GraphBuilder, value: string): string {
  return b.op('ReduceSum', [value], { keepdims: 0 }, { name: 'loss_sum' });
}
