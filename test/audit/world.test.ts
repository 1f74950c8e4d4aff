import { describe, expect, it } from 'vitest';
import { compareWithWorld, worldFindings } from '../../src/audit/compare-with-world.ts';
import type { MeasuredImage } from '../../src/audit/measure-images.ts';
import { narrownessFindings } from '../../src/audit/narrowness.ts';
import type { PropertyKey } from '../../src/audit/properties.ts';
import { randomStream, shuffled } from '../../src/core/random.ts';
import { toyData, toyWorld, usual, type Draw } from './toy.ts';

const differing = (data: readonly MeasuredImage[], world: readonly MeasuredImage[], seed = 0): PropertyKey[] =>
  compareWithWorld(
    data.map(({ measures }) => measures),
    world.map(({ measures }) => measures),
    seed,
  )
    .filter(({ differs }) => differs)
    .map(({ property }) => property);

const usualData = () =>
  toyData([
    { path: 'a', draw: usual, count: 40 },
    { path: 'b', draw: usual, count: 40 },
  ]);

describe('a world that differs in one thing', () => {
  const worlds: readonly (readonly [PropertyKey, string, Draw])[] = [
    ['brightness', 'darker', (s, i) => ({ ...usual(s, i), light: 0.25 + 0.4 * s.uniform() })],
    ['brightness', 'brighter and darker', (s, i) => ({ ...usual(s, i), light: s.uniform() < 0.5 ? 0.35 : 1.5 })],
    ['warmth', 'warmer', (s, i) => ({ ...usual(s, i), ground: [190, 140, 80], subject: [150, 80, 40] })],
    ['subjectX', 'off the centre', (s, i) => ({ ...usual(s, i), x: 0.5 * s.uniform() - 0.25, size: 0.3 })],
    ['subjectSize', 'far away', (s, i) => ({ ...usual(s, i), size: 0.2 + 0.1 * s.uniform() })],
    ['slant', 'tilted', (s, i) => ({ ...usual(s, i), angle: 60 * s.uniform() - 30 })],
    ['noise', 'grainy', (s, i) => ({ ...usual(s, i), grain: 10 + 6 * s.uniform() })],
    ['side', 'smaller in pixels', (s, i) => ({ ...usual(s, i), side: 24 })],
    ['aspect', 'taller', (s, i) => ({ ...usual(s, i), height: 64 + s.integer(8) })],
  ];

  it.each(worlds)('%s: %s', async (key, _, draw) => {
    const [data, world] = [await usualData(), await toyWorld(draw, 50)];
    expect(differing(data.images, world.images)).toContain(key);
  });

  it('JPEG quality', async () => {
    const at = (from: number) =>
      toyData([
        { path: 'a', draw: usual, count: 15, quality: (stream) => from + stream.integer(8) },
        { path: 'b', draw: usual, count: 15, quality: (stream) => from + stream.integer(8) },
      ]);
    const [fine, coarse] = [await at(88), await at(35)];
    expect(differing(fine.images, coarse.images)).toContain('jpegQuality');
    expect(differing(fine.images, fine.images)).toEqual([]);
  });

  it('says by how much, where, and shows examples of the part that is not covered', async () => {
    const data = await toyData([
      { path: 'a', draw: (s, i) => ({ ...usual(s, i), light: 1 }), count: 40 },
      { path: 'b', draw: (s, i) => ({ ...usual(s, i), light: 0.3 + s.uniform() }), count: 40 },
    ]);
    const world = await toyWorld((s, i) => ({ ...usual(s, i), light: 0.25 + 0.25 * s.uniform() }), 50);
    const comparisons = compareWithWorld(
      data.images.map(({ measures }) => measures),
      world.images.map(({ measures }) => measures),
      0,
    );
    const finding = worldFindings(comparisons, data.images, world.images, data.classes, 0).find(
      ({ property }) => property === 'brightness',
    )!;
    expect(finding.kind).toBe('differs-from-world');
    expect(finding.what).toContain('The world is darker');
    const { value, interval } = finding.evidence["Cliff's delta"]!;
    expect(value).toBeLessThan(-0.5);
    expect(interval![0]).toBeLessThanOrEqual(value);
    expect(interval![1]).toBeGreaterThanOrEqual(value);
    expect(finding.worldExamples!.length).toBeGreaterThan(0);
    const brightness = (id: string): number => world.images.find(({ sample }) => sample.id === id)!.measures.brightness;
    expect(brightness(finding.worldExamples![0]!)).toBe(
      Math.min(...world.images.map(({ measures }) => measures.brightness)),
    );
  });
});

describe('false alarms', () => {
  it('at most 1 of 20 random halves of one set is found to differ from the other in anything', async () => {
    const { images } = await toyData([{ path: 'a', draw: usual, count: 120 }]);
    const alarms = Array.from({ length: 20 }, (_, seed) => {
      const mixed = shuffled(images, randomStream('halves', seed));
      return differing(mixed.slice(0, 60), mixed.slice(60), seed);
    });
    expect(alarms.filter((keys) => keys.length > 0).length).toBeLessThanOrEqual(1);
  });

  it('a difference too small to matter is none, however many images show it', async () => {
    const { images } = await toyData([{ path: 'a', draw: usual, count: 60 }]);
    const many = Array.from({ length: 20 }, () => images.map(({ measures }) => measures)).flat();
    const brighter = many.map((measures) => ({ ...measures, brightness: measures.brightness + 4 }));
    const comparison = compareWithWorld(many, brighter, 0).find(({ property }) => property === 'brightness');
    expect(comparison!.p).toBeLessThan(0.01);
    expect(comparison!.differs).toBe(false);
  });
});

describe('narrowness without a world', () => {
  it('names what hardly varies, and nothing that does', async () => {
    const wide: Draw = (s, i) => ({ ...usual(s, i), light: 0.4 + 0.9 * s.uniform() });
    const [narrow, varied] = [
      await toyData([
        { path: 'a', draw: (s, i) => ({ ...usual(s, i), light: 1, ground: [150, 150, 150] }), count: 60 },
      ]),
      await toyData([{ path: 'a', draw: wide, count: 60 }]),
    ];
    const keys = (images: readonly MeasuredImage[]) => narrownessFindings(images, 0).map(({ property }) => property);
    expect(keys(narrow.images)).toContain('brightness');
    expect(keys(varied.images)).not.toContain('brightness');
  });
});
