import { describe, expect, it } from 'vitest';
import { mixes, parsePolicy } from '../../src/augment/policy.ts';
import {
  grid,
  MIXINGS,
  mutated,
  policyOf,
  randomCandidate,
  type Candidate,
  type SearchSpace,
} from '../../src/augment/search/candidate.ts';
import { evolve } from '../../src/augment/search/evolve.ts';
import { ranked, successiveHalving } from '../../src/augment/search/halving.ts';
import { randomStream } from '../../src/core/random.ts';

const operations = ['brightness', 'contrast', 'posterize', 'rotate', 'shearx', 'solarize'];
const space: SearchSpace = {
  base: 'randomresizedcrop|flip',
  operations,
  levels: new Map(operations.map((name) => [name, name === 'solarize' ? 0.4 : 1])),
  most: { n: 3, m: 30 },
  mixings: new Map(),
};
const mixing: SearchSpace = { ...space, mixings: MIXINGS };
const never = (): boolean => false;

describe('candidates', () => {
  it('are policies within the space', () => {
    const stream = randomStream('candidates');
    let candidate = randomCandidate(mixing, stream);
    const mixed = new Set<string | undefined>();
    for (let i = 0; i < 300; i++) {
      mixed.add(candidate.mixing);
      for (const one of [candidate, randomCandidate(mixing, stream)]) {
        expect(one.n).toBeGreaterThanOrEqual(1);
        expect(one.n).toBeLessThanOrEqual(3);
        expect(one.m).toBeGreaterThanOrEqual(1);
        expect(one.m).toBeLessThanOrEqual(30);
        expect(one.operations.length).toBeGreaterThan(0);
        expect(new Set(one.operations).size).toBe(one.operations.length);
        expect(one.operations.every((name) => operations.includes(name))).toBe(true);
        expect(mixes(parsePolicy(policyOf(one, mixing)))).toBe(one.mixing !== undefined);
      }
      const next = mutated(candidate, mixing, stream);
      expect(next).not.toEqual(candidate);
      candidate = next;
    }
    expect(mixed).toEqual(new Set([undefined, 'cutmix', 'mixup']));
    // From crops and flips alone: an operation, or mixing.
    const plain = { n: 0, m: 3, operations };
    expect(policyOf(plain, mixing)).toBe(space.base);
    const next = Array.from({ length: 40 }, () => policyOf(mutated(plain, mixing, stream), mixing));
    expect(new Set(next)).toEqual(
      new Set([
        `${space.base}|randaugment(${operations.map((name) => `'${name}'`).join(',')},1,3)`,
        ...[...MIXINGS.values()].map((way) => `${space.base}|${way}`),
      ]),
    );
  });

  it('leave out operations beyond the level at which they are safe', () => {
    const candidate = { n: 2, m: 12, operations: ['rotate', 'solarize'] };
    expect(policyOf(candidate, space)).toBe("randomresizedcrop|flip|randaugment('rotate','solarize',2,12)");
    expect(policyOf({ ...candidate, m: 13 }, space)).toBe("randomresizedcrop|flip|randaugment('rotate',2,13)");
    expect(policyOf({ ...candidate, m: 13, operations: ['solarize'] }, space)).toBe('randomresizedcrop|flip');
  });

  it('form a grid from weak to strong', () => {
    expect(grid(space).map(({ n, m }) => [n, m])).toHaveLength(15);
    expect(grid({ ...space, most: { n: 1, m: 9 } }).map(({ n, m }) => [n, m])).toEqual([
      [1, 3],
      [1, 6],
      [1, 9],
    ]);
    expect(grid(mixing).map((one) => one.mixing)).toEqual([undefined, 'cutmix', 'mixup'].flatMap((name) => Array<string | undefined>(15).fill(name))); // prettier-ignore
    const mixed = { n: 2, m: 9, operations: ['rotate'], mixing: 'cutmix' };
    expect(policyOf(mixed, mixing)).toBe("randomresizedcrop|flip|randaugment('rotate',2,9)|cutmix(1,p=0.5)");
    // Nothing to vary but what is mixed.
    expect(policyOf({ ...mixed, operations: [] }, mixing)).toBe('randomresizedcrop|flip|cutmix(1,p=0.5)');
  });
});

/** Best at n = 2, m = 11 without posterize and solarize; noise that shrinks with the effort. */
function score({ n, m, operations: names }: Candidate, rung: number): number {
  const bad = names.filter((name) => name === 'posterize' || name === 'solarize').length;
  const noise = randomStream(n, m, names.join(), rung).normal();
  return -Math.abs(n - 2) - Math.abs(m - 11) / 5 - bad - (names.length < 3 ? 1 : 0) + (0.3 * noise) / 2 ** rung;
}

describe('successiveHalving', () => {
  it('gives most to the best third of each rung', async () => {
    const counts = [0, 0, 0];
    const result = await successiveHalving(
      grid(space),
      3,
      async (candidate, rung) => {
        counts[rung]!++;
        return score(candidate, rung);
      },
      never,
    );
    expect(counts).toEqual([15, 5, 1]);
    expect(result[0]!.rung).toBe(2);
    expect(result[0]!.candidate).toMatchObject({ n: 2 });
    expect(Math.abs(result[0]!.candidate.m - 11)).toBeLessThanOrEqual(3);
    expect(result).toHaveLength(15);
  });

  it('begins no trial once its time is spent, and does not judge by half a rung', async () => {
    let trials = 0;
    const result = await successiveHalving(
      grid(space),
      3,
      async () => ++trials,
      () => trials >= 17,
    );
    expect(trials).toBe(17);
    // Of rung 1 only two of five were tried: they are ahead of rung 0, and no third rung was begun.
    expect(result.filter(({ rung }) => rung === 1)).toHaveLength(2);
    expect(result.some(({ rung }) => rung === 2)).toBe(false);
  });

  it('has something to choose from, however little time there is', async () => {
    const result = await successiveHalving(
      grid(space),
      3,
      async (candidate) => candidate.m,
      () => true,
    );
    expect(result).toHaveLength(15);
    expect(result[0]!.candidate.m).toBe(20);
  });
});

describe('evolve', () => {
  it('improves on what it starts from, and never scores one candidate twice', async () => {
    const seen = new Set<string>();
    const evaluate = async (candidate: Candidate, rung: number): Promise<number> => {
      const key = JSON.stringify(candidate);
      expect(seen.has(key)).toBe(false);
      seen.add(key);
      return score(candidate, rung);
    };
    const start = grid(space)
      .slice(0, 4)
      .map((candidate) => ({ candidate, score: score(candidate, 0), rung: 0 }));
    const result = await evolve(start, space, 1, evaluate, () => seen.size >= 80, randomStream('evolve'));
    const first = ranked(start)[0]!;
    expect(result[0]!.score).toBeGreaterThan(score(first.candidate, 1) + 1);
    expect(result[0]!.candidate.operations).not.toContain('posterize');
    expect(seen.size).toBe(80);
  });

  it('keeps scores that were found at its rung', async () => {
    const known = { candidate: { n: 1, m: 3, operations }, score: 7, rung: 1 };
    const fail = async (): Promise<number> => {
      throw new Error('This was known.');
    };
    expect(await evolve([known], space, 1, fail, () => true, randomStream('known'))).toEqual([known]);
  });
});
