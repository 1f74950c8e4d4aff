import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { AUTOAUGMENT_POLICIES } from '../../src/augment/policies/auto-augment-tables.ts';
import { strongOperation } from '../../src/augment/policies/magnitude.ts';
import { RANDAUGMENT_OPERATIONS } from '../../src/augment/policies/rand-augment.ts';
import { drawPolicy, parsePolicy } from '../../src/augment/policy.ts';
import { runSteps } from '../../src/augment/run-steps.ts';
import { randomStream } from '../../src/core/random.ts';
import type { Pixels } from '../../src/images/pixels.ts';
import { pictures } from './support/pictures.ts';

const images = pictures(48, 40);

function drawn(text: string, seed: number, image: Pixels = images[0]!): Pixels {
  const stream = randomStream('policies', seed);
  return runSteps(drawPolicy(parsePolicy(text), { image, input: image, stream, label: undefined }), image);
}

function change(a: Pixels, b: Pixels): number {
  return a.data.reduce((sum, value, i) => sum + Math.abs(value - b.data[i]!), 0) / a.data.length;
}

function meanChange(text: string, draws = 60): number {
  let sum = 0;
  for (const image of images) for (let seed = 0; seed < draws; seed++) sum += change(drawn(text, seed, image), image);
  return sum / (draws * images.length);
}

describe('randaugment', () => {
  it('leaves every image as it is at M = 0, and with no operation', () => {
    for (const text of ['randaugment(2,0)', 'randaugment(5,0,spread=uniform)', 'randaugment(0,30)', 'rand-m0-p1'])
      for (let seed = 0; seed < 40; seed++) expect(change(drawn(text, seed), images[0]!)).toBe(0);
  });

  it('changes more with M and with N', () => {
    const byMagnitude = [1, 5, 9, 15, 22, 30].map((m) => meanChange(`randaugment(2,${m})`));
    expect(byMagnitude).toEqual(byMagnitude.toSorted((a, b) => a - b));
    const byCount = [1, 2, 4].map((n) => meanChange(`randaugment(${n},9)`));
    expect(byCount).toEqual(byCount.toSorted((a, b) => a - b));
  });

  it('draws evenly from its list, or by weight', () => {
    const counts = new Map<string, number>();
    const only = (name: string, seed: number): boolean =>
      change(drawn(`randaugment('${name}',1,30)`, seed), images[0]!) > 0;
    expect(RANDAUGMENT_OPERATIONS.filter((name) => name !== 'identity' && only(name, 1))).toHaveLength(13);
    // Solarize at 30 inverts, identity does nothing: which it was can be seen.
    for (let seed = 0; seed < 1200; seed++) {
      const isInverted = change(drawn("randaugment('solarize:3','identity',1,30)", seed), images[0]!) > 0;
      counts.set(String(isInverted), (counts.get(String(isInverted)) ?? 0) + 1);
    }
    expect(counts.get('true')! / 1200).toBeCloseTo(0.75, 1);
  });

  it('spreads the magnitude where that is asked for', () => {
    const different = (text: string): number =>
      new Set(Array.from({ length: 30 }, (_, seed) => change(drawn(text, seed), images[0]!).toFixed(6))).size;
    expect(different("randaugment('solarize',1,12)")).toBe(1);
    expect(different("randaugment('solarize',1,12,mstd=3)")).toBeGreaterThan(10);
    expect(different("randaugment('solarize',1,12,spread=uniform)")).toBeGreaterThan(10);
  });

  it('does each operation as often as it says', () => {
    const done = Array.from(
      { length: 600 },
      (_, seed) => change(drawn("randaugment('solarize',1,30,each=0.25)", seed), images[0]!) > 0,
    );
    expect(done.filter(Boolean).length / 600).toBeCloseTo(0.25, 1);
  });
});

describe('autoaugment', () => {
  const NAMES: Readonly<Record<string, string>> = { Color: 'saturation' };

  it("has torchvision's sub-policies", () => {
    const golden = JSON.parse(readFileSync(new URL('./golden/auto-augment.json', import.meta.url), 'utf8')) as Record<
      string,
      [string, number, number | null][][]
    >;
    expect(Object.keys(golden).toSorted()).toEqual(Object.keys(AUTOAUGMENT_POLICIES).toSorted());
    for (const [name, pairs] of Object.entries(AUTOAUGMENT_POLICIES))
      expect(pairs).toEqual(
        golden[name]!.map((pair) =>
          pair.map(([operation, probability, magnitude]) => [
            NAMES[operation] ?? operation.toLowerCase(),
            probability,
            ...(magnitude === null ? [] : [magnitude]),
          ]),
        ),
      );
  });

  it.each(['imagenet', 'cifar10', 'svhn'])('draws from all of %s', (name) => {
    const results = new Set(
      Array.from({ length: 150 }, (_, seed) =>
        Buffer.from(drawn(`autoaugment(${name})`, seed).data).toString('base64'),
      ),
    );
    // Of 25 pairs, many of ImageNet's only equalise.
    expect(results.size).toBeGreaterThan(25);
  });
});

describe('trivialaugment', () => {
  it('reaches further than randaugment, with one operation', () => {
    expect(meanChange('trivialaugment')).toBeGreaterThan(meanChange('randaugment(1,9)'));
  });
});

describe('augmix', () => {
  it('stays nearer to the image than its chains, and grows with the severity', () => {
    const bySeverity = [1, 3, 6, 10].map((severity) => meanChange(`augmix(${severity})`, 30));
    expect(bySeverity).toEqual(bySeverity.toSorted((a, b) => a - b));
    expect(bySeverity[1]).toBeLessThan(meanChange('randaugment(2,9)', 30));
  });

  it('takes the image as it is where nothing is mixed in', () => {
    // Beta(0.001, 0.001) is all image or all chains.
    const changes = Array.from({ length: 40 }, (_, seed) => change(drawn('augmix(alpha=0.001)', seed), images[0]!));
    expect(changes.some((value) => value === 0)).toBe(true);
    expect(changes.some((value) => value > 1)).toBe(true);
  });
});

describe('strongOperation', () => {
  it('knows every operation that the policies name', () => {
    for (const name of RANDAUGMENT_OPERATIONS)
      if (name !== 'identity') expect(() => strongOperation(name)).not.toThrow();
    expect(() => strongOperation('flip')).toThrow(RangeError);
  });
});
