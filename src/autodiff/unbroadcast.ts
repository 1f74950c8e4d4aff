import { GRADIENT_DOMAIN } from '../onnx/graph.ts';
import type { RuleContext } from './rule.ts';

/**
 * Sums a gradient down to the shape that its tensor had before broadcasting. A sum over everything
 * but the channels becomes `ChannelSum`, and `ChannelDot` where the gradient is a product, so that
 * the product need not be written to memory.
 */
export function unbroadcast(context: RuleContext, value: string, shape: readonly number[]): string {
  const from = context.shape(value);
  if (from.length === shape.length && from.every((side, axis) => side === shape[axis])) return value;
  const lead = from.length - shape.length;
  const summed = from.flatMap((side, axis) => (axis < lead || (shape[axis - lead] === 1 && side !== 1) ? [axis] : []));
  const onlyChannelsKept =
    from.length >= 3 && from.every((side, axis) => axis === 1 || side === 1 || summed.includes(axis));
  if (onlyChannelsKept && !summed.includes(1)) {
    const product = context.product(value);
    const sum =
      product !== undefined && product.every((factor) => sameShape(context.shape(factor), from))
        ? context.op('ChannelDot', product, {}, GRADIENT_DOMAIN)
        : context.op('ChannelSum', [value], {}, GRADIENT_DOMAIN);
    return context.reshape(sum, shape);
  }
  const sum = summed.length === 0 ? value : context.reduce('ReduceSum', value, summed);
  return context.reshape(sum, shape);
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((side, axis) => side === b[axis]);
}
