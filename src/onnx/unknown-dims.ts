import type { Dim, TensorType } from './graph.ts';

/** Symbols for sides of which nothing is known: `?0`, `?1`, ... They are local to a graph and never written to a file. */

export function unknownDim(number: number): string {
  return `?${number}`;
}

/** Whether a side is a symbol of this kind, not one that the model's author named. */
export function isUnknownDim(side: Dim): boolean {
  return typeof side === 'string' && /^\?\d+$/.test(side);
}

/** The first number that no symbol in `types` has. */
export function firstFreeUnknown(types: Iterable<TensorType>): number {
  let free = 0;
  for (const { shape } of types)
    for (const side of shape ?? [])
      if (isUnknownDim(side)) free = Math.max(free, Number((side as string).slice(1)) + 1);
  return free;
}
