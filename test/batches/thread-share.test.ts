import { describe, expect, it } from 'vitest';
import { ThreadShare, type ThreadChoice } from '../../src/batches/thread-share.ts';

/** What is chosen while a loader whose one thread takes `cost` for a batch feeds steps of `used`. */
function choices(most: number, cost: number, used: number, batches = 200): ThreadChoice[] {
  const share = new ThreadShare(most);
  const told: ThreadChoice[] = [];
  for (let i = 0; i < batches; i++) {
    const choice = share.note(Math.max(0, cost / share.threads - used), used);
    if (choice !== undefined) told.push(choice);
  }
  expect(told.at(-1)!.threads).toBe(share.threads);
  return told;
}

describe('ThreadShare', () => {
  it('stays with one thread that keeps ahead, and says so once', () => {
    expect(choices(16, 30, 300)).toEqual([{ threads: 1, waiting: 0 }]);
  });

  it.each([
    [100, 30, 4],
    [45, 30, 2],
    [31, 30, 2],
    [30.5, 30, 1],
  ])('of a cost of %d and steps of %d, takes %i threads', (cost, used, threads) => {
    expect(choices(16, cost, used).at(-1)!.threads).toBe(threads);
  });

  it('takes no more than there are', () => {
    expect(choices(2, 1000, 1).at(-1)!.threads).toBe(2);
    expect(choices(1, 1000, 1)).toHaveLength(1);
    expect(choices(3, 10, 0).at(-1)!.threads).toBe(3);
  });

  it('takes one more where waiting goes on for another reason than their number', () => {
    const share = new ThreadShare(4);
    const seen: number[] = [];
    for (let i = 0; i < 80; i++) {
      share.note(1, 30);
      if (seen.at(-1) !== share.threads) seen.push(share.threads);
    }
    expect(seen).toEqual([1, 2, 3, 4]);
  });
});
