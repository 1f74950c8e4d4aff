import { describe, expect, it } from 'vitest';
import { randomStream } from '../../src/core/random.ts';
import { beta, dirichlet, gamma } from '../../src/augment/distributions.ts';
import { boxAnywhere } from '../../src/augment/mixing/box.ts';
import { mixBatch, mixTargets, mixWeighted } from '../../src/augment/mixing/mix-batch.ts';
import { parsePolicy } from '../../src/augment/policy.ts';

const SIDE = 16;
const BYTES = SIDE * SIDE * 3;
const size = { width: SIDE, height: SIDE };
const last = { epoch: 3, epochs: 3 };

const itemOf = (text: string) => parsePolicy(text).batch[0]!;

/** Image i is of colour i + 1 all over, so that pixels tell whose they are. */
function colours(count: number): Uint8Array {
  return Uint8Array.from({ length: count * BYTES }, (_, i) => 1 + Math.floor(i / BYTES));
}

/** Of image `at`, the share of pixels with each colour. */
function sharesSeen(images: Uint8Array, at: number, count: number): number[] {
  const shares = Array.from({ length: count }, () => 0);
  for (let i = 0; i < BYTES; i += 3) shares[images[at * BYTES + i]! - 1]! += 1 / (SIDE * SIDE);
  return shares;
}

describe.each(['cutmix(1)', 'cutmix(1,images=4)', 'resizemix', 'ricap', 'mosaic', 'switch(cutmix(1),ricap)'])(
  '%s',
  (text) => {
    it.each([2, 5, 8])('gives labels the shares of the pixels, in a batch of %i', (count) => {
      const [item] = parsePolicy(text).batch;
      let mixedOnes = 0;
      for (let seed = 0; seed < 20; seed++) {
        const images = colours(count);
        const mixed = mixBatch(images, size, item!, last, randomStream('mix', seed));
        const labels = mixTargets(
          Float32Array.from({ length: count * count }, (_, i) => (i % (count + 1) === 0 ? 1 : 0)),
          mixed,
        );
        for (let i = 0; i < count; i++) {
          const seen = sharesSeen(images, i, count);
          for (let k = 0; k < count; k++) expect(labels[i * count + k]).toBeCloseTo(seen[k]!, 5);
          if (seen[i]! < 1) mixedOnes++;
        }
      }
      expect(mixedOnes).toBeGreaterThan(count * 10);
    });
  },
);

describe('mixup', () => {
  it('weights pixels and labels alike', () => {
    for (let seed = 0; seed < 20; seed++) {
      const images = Uint8Array.from({ length: 3 * BYTES }, (_, i) => 100 * Math.floor(i / BYTES));
      const mixed = mixBatch(images, size, itemOf('mixup(1)'), last, randomStream('mixup', seed));
      for (const [i, { sources, shares }] of mixed.entries()) {
        expect(sources).toHaveLength(2);
        const mean = sources.reduce((sum, source, j) => sum + shares[j]! * 100 * source, 0);
        expect(Math.abs(images[i * BYTES]! - mean)).toBeLessThanOrEqual(0.5 + 1e-6);
      }
    }
  });

  it('draws the weight from Beta(alpha, alpha)', () => {
    const images = new Uint8Array(64 * BYTES);
    const shares = [0, 1, 2, 3, 4, 5, 6, 7].flatMap((seed) =>
      mixBatch(images, size, itemOf('mixup(0.2)'), last, randomStream('beta', seed)).map(({ shares: [own] }) => own!),
    );
    // The variance of Beta(a, a) is 1 / (4 (2 a + 1)).
    const variance = shares.reduce((sum, share) => sum + (share - 0.5) ** 2, 0) / shares.length;
    expect(variance).toBeGreaterThan(0.16);
    expect(variance).toBeLessThan(0.195);
  });
});

describe('mixing', () => {
  const mix = (text: string, seed: number, count = 8, at = last): ReturnType<typeof mixBatch> =>
    mixBatch(colours(count), size, itemOf(text), at, randomStream('any', seed));

  it('gives every image a box of its own, also where the ratio is the batch’s', () => {
    const images = colours(6);
    mixBatch(images, size, itemOf('cutmix(1,per=batch)'), last, randomStream('own box', 3));
    const places = new Set(
      Array.from({ length: 6 }, (_, i) =>
        Array.from({ length: BYTES }, (_, at) => (images[i * BYTES + at] === i + 1 ? '.' : '#')).join(''),
      ),
    );
    expect(places.size).toBeGreaterThan(3);
  });

  it('mixes all of a batch or nothing per batch, and some of it per element', () => {
    const counts = (text: string): number[] =>
      Array.from({ length: 40 }, (_, seed) => mix(text, seed).filter(({ by }) => by !== undefined).length);
    const perBatch = counts('mixup(1,per=batch,p=0.5)');
    expect(new Set(perBatch)).toEqual(new Set([0, 8]));
    const perElement = counts('mixup(1,p=0.5)');
    expect(perElement.reduce((sum, count) => sum + count, 0) / 320).toBeCloseTo(0.5, 1);
    expect(new Set(perElement).size).toBeGreaterThan(3);
  });

  it('takes one of the mixers of a switch', () => {
    const names = new Set(
      [0, 1, 2, 3].flatMap((seed) => mix('switch(cutmix(1),mixup(1),p=0.9)', seed).map(({ by }) => by)),
    );
    expect(names).toEqual(new Set(['cutmix', 'mixup', undefined]));
  });

  it('is off in the last epochs where that is asked for', () => {
    const isMixed = (epoch: number): boolean =>
      mix('cutmix(1,off=2)', 1, 8, { epoch, epochs: 10 }).some(({ by }) => by !== undefined);
    expect([1, 8, 9, 10].map(isMixed)).toEqual([true, true, false, false]);
  });

  it('leaves a batch of one as it is', () => {
    expect(mix('cutmix(1)', 0, 1)).toEqual([{ sources: [0], shares: [1], by: undefined }]);
  });

  it('never makes an image its own partner, and no partner twice while there are others', () => {
    for (let seed = 0; seed < 30; seed++)
      for (const { sources } of mix('mosaic', seed, 4)) expect(sources.toSorted()).toEqual([0, 1, 2, 3]);
  });
});

describe('boxAnywhere', () => {
  it('centres boxes everywhere, so that they are clipped at the borders', () => {
    const boxes = Array.from({ length: 4000 }, (_, seed) =>
      boxAnywhere({ width: 20, height: 10 }, 0.25, randomStream('box', seed)),
    );
    for (const { left, top, width, height } of boxes) {
      expect(Math.min(left, top, width, height)).toBeGreaterThanOrEqual(0);
      expect(left + width).toBeLessThanOrEqual(20);
      expect(top + height).toBeLessThanOrEqual(10);
    }
    // Sides 10 and 5 before clipping. Of 20 centres 0..19 the box keeps all of its width at 11 (5..15).
    const whole = boxes.filter(({ width, height }) => width === 10 && height === 5).length / boxes.length;
    expect(whole).toBeCloseTo((11 / 20) * (6 / 10), 1);
  });
});

describe('distributions', () => {
  const draws = <T>(draw: (stream: ReturnType<typeof randomStream>) => T): T[] => {
    const stream = randomStream('distributions');
    return Array.from({ length: 20_000 }, () => draw(stream));
  };
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

  it.each([0.3, 1, 4.5])('gamma(%d) has mean and variance of its shape', (shape) => {
    const values = draws((stream) => gamma(shape, stream));
    expect(mean(values) / shape).toBeCloseTo(1, 1);
    expect(mean(values.map((value) => (value - shape) ** 2)) / shape).toBeCloseTo(1, 0);
  });

  it('beta(2, 5) has mean 2/7 and variance 10/392', () => {
    const values = draws((stream) => beta(2, 5, stream));
    expect(mean(values)).toBeCloseTo(2 / 7, 2);
    expect(mean(values.map((value) => (value - 2 / 7) ** 2))).toBeCloseTo(10 / 392, 3);
  });

  it('beta and dirichlet stay finite where shapes are tiny', () => {
    for (const value of draws((stream) => beta(1e-3, 1e-3, stream))) expect(value >= 0 && value <= 1).toBe(true);
    for (const values of draws((stream) => dirichlet(1e-3, 3, stream)).slice(0, 2000))
      expect(values.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 9);
  });
});

describe('mixWeighted', () => {
  it('makes the loss of a mixture the mixture of weighted losses', () => {
    // Of K = 2 classes: shares, weights and targets written out; the loss is linear in the target.
    const targets = Float32Array.of(1, 0, 0.25, 0.75);
    const weights = Float32Array.of(1, 0.2);
    const mixed = [
      { sources: [0, 1], shares: [0.6, 0.4], by: 'mixup' },
      { sources: [1], shares: [1], by: undefined },
    ];
    const made = mixWeighted(targets, weights, mixed);
    const losses = [1.5, 0.3];
    for (const [i, { sources, shares }] of mixed.entries()) {
      const expected = sources.reduce(
        (sum, source, j) =>
          sum + shares[j]! * weights[source]! * losses.reduce((loss, l, k) => loss + l * targets[2 * source + k]!, 0),
        0,
      );
      const found = made.weights[i]! * losses.reduce((loss, l, k) => loss + l * made.targets[2 * i + k]!, 0);
      expect(found).toBeCloseTo(expected, 6);
      expect(made.targets[2 * i]! + made.targets[2 * i + 1]!).toBeCloseTo(1, 6);
    }
  });

  it('leaves a distribution where nothing counts', () => {
    const mixed = [
      { sources: [0, 1], shares: [0.5, 0.5], by: 'mixup' },
      { sources: [1], shares: [1], by: undefined },
    ];
    const { targets, weights } = mixWeighted(Float32Array.of(1, 0, 0, 1), Float32Array.of(0, 0), mixed);
    expect([...targets]).toEqual([0.5, 0.5, 0, 1]);
    expect([...weights]).toEqual([0, 0]);
  });
});
