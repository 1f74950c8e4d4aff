import { randomStream } from '../core/random.ts';
import { sizeOf } from '../core/tensor.ts';
import type { DropoutMask } from '../autodiff/prepare.ts';

/** A mask drawn from the stream of `key`: 0 with probability `rate`, else 1 / (1 - rate). */
export function dropoutMask({ shape, rate }: DropoutMask, key: readonly (string | number)[]): Float32Array {
  const stream = randomStream(...key);
  const kept = 1 / (1 - rate);
  const mask = new Float32Array(sizeOf(shape));
  for (let i = 0; i < mask.length; i++) mask[i] = stream.uniform() < rate ? 0 : kept;
  return mask;
}
