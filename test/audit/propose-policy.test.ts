import { describe, expect, it } from 'vitest';
import { compareWithWorld } from '../../src/audit/compare-with-world.ts';
import { CANDIDATES } from '../../src/audit/candidates.ts';
import { fitRange } from '../../src/audit/fit-range.ts';
import { proposePolicy, type Proposal } from '../../src/audit/propose-policy.ts';
import { Response } from '../../src/audit/response.ts';
import { OPERATIONS } from '../../src/augment/operations.ts';
import type { Item } from '../../src/augment/element.ts';
import { parsePolicy } from '../../src/augment/policy.ts';
import { randomStream } from '../../src/core/random.ts';
import { toyData, toyWorld, usual, type Draw, type ToyData } from './toy.ts';

async function proposed(data: ToyData, world: ToyData): Promise<Proposal> {
  const comparisons = compareWithWorld(
    data.images.map(({ measures }) => measures),
    world.images.map(({ measures }) => measures),
    0,
  );
  return proposePolicy(data.images, world.images, comparisons, { seed: 0 });
}

const bright: Draw = (s, i) => ({ ...usual(s, i), light: 1 + 0.2 * s.uniform() });
const usualSet = (draw: Draw) => toyData([{ path: 'a', draw, count: 80 }]);
const rangeOf = ({ operations }: Proposal, name: string): [number, number] => {
  const [item] = parsePolicy(operations.find(({ operation }) => operation === name)!.text).image as [Item];
  return Object.values(item.arguments)[0] as [number, number];
};

describe('proposePolicy', () => {
  it('covers a dark world from bright data by brightness, with what lies between, and not much more', async () => {
    const world = await toyWorld((s, i) => ({ ...usual(s, i), light: 0.4 + 0.3 * s.uniform() }), 60);
    const proposal = await proposed(await usualSet(bright), world);
    const { policy, operations, coverage } = proposal;
    // Half of the images stay as they are, as the data's own kind is to be known as well.
    expect(parsePolicy(policy).image).toMatchObject([{ name: 'oneof', arguments: { p: 0.5 } }]);
    expect(policy).toContain(operations[0]!.text);
    expect(operations[0]!.operation).toMatch(/^(brightness|gamma)$/);
    expect(operations[0]!.gain.interval![0]).toBeGreaterThan(0);
    // From 0.4 / 1.2 to 0.7 / 1 of the data's light; as it is must stay in.
    const [low, high] = rangeOf(proposal, 'brightness');
    expect(low).toBeGreaterThanOrEqual(0.25);
    expect(low).toBeLessThanOrEqual(0.5);
    expect(high).toBe(1);
    const brightness = coverage.find(({ property }) => property === 'brightness')!;
    expect(brightness.before.value).toBeGreaterThan(0.7);
    expect(brightness.after.value).toBeLessThan(0.25);
  });

  it('covers a tilted world by turning to both sides', async () => {
    const tilted: Draw = (s, i) => ({ ...usual(s, i), angle: 50 * s.uniform() - 25 });
    const proposal = await proposed(await usualSet(usual), await toyWorld(tilted, 60));
    const [low, high] = rangeOf(proposal, 'rotate');
    expect(low).toBe(-high);
    expect(high).toBeGreaterThanOrEqual(18);
    expect(high).toBeLessThanOrEqual(35);
  });

  it('proposes nothing where the world is alike', async () => {
    const { policy, operations } = await proposed(await usualSet(usual), await toyWorld(usual, 60));
    expect(operations).toEqual([]);
    expect(policy).toBe('');
  });

  it('tries only values that the operations take, as policies that parse to themselves', () => {
    const known = CANDIDATES.filter(({ operation }) => OPERATIONS.has(operation));
    expect(known.length).toBeGreaterThanOrEqual(3);
    for (const candidate of known) {
      const { values, identity } = candidate;
      expect(values).toEqual(values.toSorted((a, b) => a - b));
      expect(values).toContain(identity);
      const parameter = Object.values(OPERATIONS.get(candidate.operation)!.parameters)[0]!;
      expect(parameter).toMatchObject({ kind: 'range', identity });
      expect((parameter as { scale?: string }).scale === 'logarithmic').toBe(candidate.isLogarithmic);
      const { text } = parsePolicy(candidate.text(values[0]!, values.at(-1)!, 'reflect', 0.5));
      expect(parsePolicy(text).text).toBe(text);
    }
  });
});

describe('fitRange', () => {
  const candidate = CANDIDATES.find(({ operation }) => operation === 'brightness')!;
  const ones = (count: number): Float64Array => new Float64Array(count).fill(1);
  /** Images whose brightness is the factor times their own. */
  const fitted = (world: readonly number[], own: readonly number[]) => {
    const measures = candidate.values.map((value) => own.map((brightness) => ({ brightness: brightness * value })));
    const response = new Response(
      measures,
      world.map((brightness) => ({ brightness })),
      new Map([['brightness', 100]]),
    );
    return fitRange(candidate, response, ones(own.length), ones(world.length));
  };
  const stream = randomStream('fit');
  const own = Array.from({ length: 80 }, () => 150 + 5 * stream.normal());

  it('finds the range that made a world', () => {
    const world = own.map((value) => value * (0.4 + 0.3 * stream.uniform()));
    expect(fitted(world, own)).toMatchObject({ low: 0.4, high: 0.7, probability: 1 });
  });

  it('finds how often it was done', () => {
    const world = own.map((value, i) => (i % 2 === 0 ? value : value * (0.4 + 0.2 * stream.uniform())));
    const { low, high, probability } = fitted(world, own);
    expect(probability).toBe(0.5);
    expect([low, high]).toEqual([0.4, 0.6]);
  });

  it('leaves alone what is alike', () => {
    expect(
      fitted(
        own.map((value) => value + 0.5 * stream.normal()),
        own,
      ),
    ).toMatchObject({ low: 1, high: 1 });
  });
});
