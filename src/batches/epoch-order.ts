import { randomStream, shuffled } from '../core/random.ts';

/** The order of `count` items in an epoch: another in every epoch, known from the key alone. */
export function epochOrder(
  count: number,
  { seed, stage, epoch }: { readonly seed: number; readonly stage: string; readonly epoch: number },
): number[] {
  return shuffled(
    Array.from({ length: count }, (_, i) => i),
    randomStream(seed, stage, epoch, 'order'),
  );
}
