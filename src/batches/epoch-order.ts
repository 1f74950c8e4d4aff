import { randomStream, shuffled } from '../core/random.ts';

interface OrderKey {
  readonly seed: number;
  readonly stage: string;
  readonly epoch: number;
}

/** Items that stand one after the other in a list, and how many places of an epoch they take. */
export interface OrderPart {
  readonly count: number;
  readonly draws: number;
}

/**
 * The order of `count` items in an epoch: another in every epoch, known from the key alone. With parts, whose counts add
 * up to `count`, an epoch has as many places as they take together. Each part is gone through in an order that is new each
 * time, from where the last epoch stopped, and the parts are spread evenly: any batch has about the same share of each.
 */
export function epochOrder(count: number, key: OrderKey, parts?: readonly OrderPart[]): number[] {
  return parts === undefined ? shuffledPass(count, key.seed, key.stage, key.epoch) : ofParts(parts, key);
}

/** How often an item stands in an order before each of its places. */
export function timesBefore(order: readonly number[]): number[] {
  const seen = new Map<number, number>();
  return order.map((item) => {
    const times = seen.get(item) ?? 0;
    seen.set(item, times + 1);
    return times;
  });
}

function shuffledPass(count: number, ...key: readonly (string | number)[]): number[] {
  return shuffled(
    Array.from({ length: count }, (_, i) => i),
    randomStream(...key, 'order'),
  );
}

function ofParts(parts: readonly OrderPart[], { seed, stage, epoch }: OrderKey): number[] {
  const places: { readonly at: number; readonly item: number }[] = [];
  let first = 0;
  for (const [part, { count, draws }] of parts.entries()) {
    let [pass, order] = [-1, [] as number[]];
    for (let i = 0; i < draws; i++) {
      const position = (epoch - 1) * draws + i;
      if (Math.floor(position / count) !== pass) {
        pass = Math.floor(position / count);
        order = shuffledPass(count, seed, stage, 'part', part, pass);
      }
      places.push({ at: (i + 0.5) / draws, item: first + order[position % count]! });
    }
    first += count;
  }
  // A stable sort: of places at one height, the earlier part's comes first.
  return places.toSorted((a, b) => a.at - b.at).map(({ item }) => item);
}
