import { describe, expect, it } from 'vitest';
import { OPERATIONS } from '../../../src/augment/operations.ts';
import { NORMALS } from '../../../src/augment/random-words.ts';
import type { Pixels } from '../../../src/images/pixels.ts';
import { runOperation } from '../support/run-operation.ts';

const flat = (value: number): Pixels => ({ width: 200, height: 100, data: new Uint8Array(60_000).fill(value) });

function channels({ data }: Pixels, centre: number): number[][] {
  return [0, 1, 2].map((channel) => [...data].filter((_, i) => i % 3 === channel).map((value) => value - centre));
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const deviation = (values: readonly number[]): number => Math.sqrt(mean(values.map((value) => value * value)));
const correlation = (one: readonly number[], other: readonly number[]): number =>
  mean(one.map((value, i) => value * other[i]!)) / (deviation(one) * deviation(other));

describe('NORMALS', () => {
  it('are the quantiles of the normal distribution', () => {
    // Tables: P(x < 1.959964) = 0.975, P(x < 0.674490) = 0.75, P(x < 3.090232) = 0.999.
    const at = (share: number): number => NORMALS[Math.round(share * NORMALS.length - 0.5)]!;
    expect(at(0.975)).toBeCloseTo(1.959964, 2);
    expect(at(0.75)).toBeCloseTo(0.67449, 3);
    expect(at(0.001)).toBeCloseTo(-3.090232, 1);
    expect(deviation([...NORMALS])).toBeCloseTo(1, 3);
  });
});

describe('noise', () => {
  it('has the deviation that was asked for, in each channel by itself', () => {
    const noisy = channels(runOperation(OPERATIONS.get('noise')!, { stddev: 20 }, flat(128)), 128);
    for (const values of noisy) {
      expect(Math.abs(mean(values))).toBeLessThan(0.6);
      expect(deviation(values)).toBeCloseTo(20, 0);
    }
    expect(Math.abs(correlation(noisy[0]!, noisy[1]!))).toBeLessThan(0.03);
    expect(Math.abs(correlation(noisy[1]!, noisy[2]!))).toBeLessThan(0.03);
    // Neighbours, too.
    expect(Math.abs(correlation(noisy[0]!.slice(1), noisy[0]!.slice(0, -1)))).toBeLessThan(0.03);
  });

  it('differs from drawing to drawing', () => {
    const run = (seed: number): Pixels => runOperation(OPERATIONS.get('noise')!, { stddev: 20 }, flat(128), seed);
    expect(run(1)).not.toEqual(run(2));
  });
});

describe('isonoise', () => {
  const noisy = (value: number, colour: number): number[][] =>
    channels(runOperation(OPERATIONS.get('isonoise')!, { intensity: 0.5, colour }, flat(value)), value);

  it('has half of 32 grey levels in middle grey at an intensity of 0.5', () => {
    expect(deviation(noisy(128, 0.5)[0]!)).toBeGreaterThan(15);
    expect(deviation(noisy(128, 0.5)[0]!)).toBeLessThan(17);
  });

  it('is stronger in the shadows', () => {
    const [dark, bright] = [40, 220].map((value) => deviation(noisy(value, 0.5)[1]!));
    expect(dark!).toBeGreaterThan(1.1 * bright!);
  });

  it("shares of it are each channel's own", () => {
    for (const [colour, expected] of [
      [0, 1],
      [0.4, 0.6],
      [1, 0],
    ] as const) {
      const [red, green, blue] = noisy(128, colour);
      expect(correlation(red!, green!)).toBeCloseTo(expected, 1);
      expect(correlation(green!, blue!)).toBeCloseTo(expected, 1);
    }
  });
});

describe('saltpepper', () => {
  it('makes as many pixels white as black', () => {
    const { data } = runOperation(OPERATIONS.get('saltpepper')!, { share: 0.1 }, flat(128));
    const count = (value: number): number => data.filter((found) => found === value).length / data.length;
    expect(count(255)).toBeCloseTo(0.05, 2);
    expect(count(0)).toBeCloseTo(0.05, 2);
    expect(count(128)).toBeCloseTo(0.9, 2);
    // Whole pixels.
    for (let i = 0; i < data.length; i += 3) expect(data[i] === data[i + 1] && data[i] === data[i + 2]).toBe(true);
  });

  it('changes every pixel at a share of 1', () => {
    expect(runOperation(OPERATIONS.get('saltpepper')!, { share: 1 }, flat(128)).data).not.toContain(128);
  });
});
