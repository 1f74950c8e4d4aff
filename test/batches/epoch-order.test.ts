import { describe, expect, it } from 'vitest';
import { epochOrder, timesBefore } from '../../src/batches/epoch-order.ts';

const key = (epoch: number) => ({ seed: 3, stage: 'student', epoch });

describe('epochOrder with parts', () => {
  const parts = [
    { count: 5, draws: 8 },
    { count: 40, draws: 24 },
  ];

  it('takes as many of each part as it says, spread evenly', () => {
    const order = epochOrder(45, key(1), parts);
    expect(order).toHaveLength(32);
    for (let from = 0; from < 32; from += 4)
      expect(order.slice(from, from + 4).filter((item) => item < 5)).toHaveLength(1);
    expect(order.every((item) => item >= 0 && item < 45)).toBe(true);
  });

  it('goes through all of a part before one comes again, over epochs', () => {
    const orders = [1, 2, 3, 4, 5].map((epoch) => epochOrder(45, key(epoch), parts));
    const second = orders.flat().filter((item) => item >= 5);
    // 120 places are three passes over 40.
    for (let pass = 0; pass < 3; pass++) expect(new Set(second.slice(pass * 40, pass * 40 + 40)).size).toBe(40);
    const first = orders.flat().filter((item) => item < 5);
    for (let pass = 0; pass < 8; pass++) expect(new Set(first.slice(pass * 5, pass * 5 + 5)).size).toBe(5);
    expect(second.slice(0, 40)).not.toEqual(second.slice(40, 80));
  });

  it('is known from the key alone', () => {
    expect(epochOrder(45, key(2), parts)).toEqual(epochOrder(45, key(2), parts));
    expect(epochOrder(45, { ...key(2), seed: 4 }, parts)).not.toEqual(epochOrder(45, key(2), parts));
  });
});

it('counts how often an item stood before', () => {
  expect(timesBefore([2, 0, 2, 1, 2, 0])).toEqual([0, 0, 1, 0, 2, 1]);
});
