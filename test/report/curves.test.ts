import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { scale, tickLabels, ticks } from '../../src/report/axis.ts';
import { bytes, duration, magnitude, number, percent } from '../../src/report/format.ts';
import { lineChart } from '../../src/report/line-chart.ts';
import { stagesFromEvents } from '../../src/report/stages-from-events.ts';

const SHARES = { confidence: 0.8, threshold: 0.9, classesUsed: 5 };

describe('ticks', () => {
  test('are round and cover the range', () => {
    expect(ticks(0.13, 0.92)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
    expect(ticks(0, 100)).toEqual([0, 20, 40, 60, 80, 100]);
    expect(ticks(1, 1)).toEqual([0.4, 0.6, 0.8, 1, 1.2, 1.4, 1.6]);
    fc.assert(
      fc.property(
        fc.double({ min: -1e6, max: 1e6, noNaN: true }),
        fc.double({ min: 1e-6, max: 1e6, noNaN: true }),
        (low, share) => {
          // A range narrower than doubles near `low` can tell apart has no ticks.
          const width = share * Math.max(1, Math.abs(low));
          const values = ticks(low, low + width);
          expect(values[0]!).toBeLessThanOrEqual(low + width * 1e-6);
          expect(values.at(-1)!).toBeGreaterThanOrEqual(low + width * (1 - 1e-6));
          expect(values.length).toBeLessThanOrEqual(9);
          expect(values.length).toBeGreaterThanOrEqual(2);
        },
      ),
    );
  });
  test('are labelled with the digits that tell them apart', () => {
    expect(tickLabels([0, 0.5, 1], '')).toEqual(['0.0', '0.5', '1.0']);
    expect(tickLabels([0.2, 0.4], '%')).toEqual(['20 %', '40 %']);
    expect(tickLabels([0.99, 0.995], '%')).toEqual(['99.0 %', '99.5 %']);
    expect(tickLabels([0, 2e-9], '')).toEqual(['0.0e+0', '2.0e-9']);
  });
  test('a scale maps its ends onto its ends', () => {
    const y = scale([0, 1], [200, 10]);
    expect([y(0), y(1), y(0.5)]).toEqual([200, 10, 105]);
  });
});

function chart(points: readonly (readonly [number, number])[]): string {
  return lineChart({ title: 'Loss', xLabel: 'epoch', unit: '', series: [{ name: 'training', look: 'first', points }] })
    .text;
}

/** With spaces that may break. */
function plain(text: string): string {
  return text.replaceAll('\u00A0', ' ');
}

describe('a line chart', () => {
  test('draws its points in order, and says them in words', () => {
    const svg = chart([
      [1, 2],
      [2, 1],
      [3, 0.5],
    ]);
    const [, points] = /<polyline[^>]*points="([^"]*)"/.exec(svg)!;
    const pairs = points!.split(' ').map((pair) => pair.split(',').map(Number));
    expect(pairs).toHaveLength(3);
    expect(pairs.map(([x]) => x)).toEqual(pairs.map(([x]) => x!).toSorted((a, b) => a - b));
    // Down on paper is up in SVG.
    expect(pairs[0]![1]!).toBeLessThan(pairs[2]![1]!);
    expect(svg).toContain('aria-label="Loss: training from 2.00 to 0.500"');
  });

  test('leaves out what is not a number, and is nothing without points', () => {
    expect(chart([[1, Number.NaN]])).toBe('');
    expect(chart([])).toBe('');
    const svg = chart([
      [1, 2],
      [2, Number.NaN],
      [3, Infinity],
      [4, 1],
    ]);
    expect(svg).not.toMatch(/NaN|Infinity/);
  });
});

describe('stages from events', () => {
  test('curves in order; an epoch that was run again counts as it was last', () => {
    const stages = stagesFromEvents([
      { type: 'start' },
      { type: 'stage', stage: 'head', state: 'start' },
      { type: 'epoch', stage: 'head', epoch: 1, epochs: 1, loss: 2, learningRate: 0.1 },
      { type: 'stage', stage: 'head', state: 'end', seconds: 3 },
      { type: 'epoch', stage: 'body', epoch: 2, loss: 0.9, accuracy: 0.4 },
      { type: 'epoch', stage: 'body', epoch: 1, loss: 1, accuracy: 0.5, imagesPerSecond: 40 },
      { type: 'epoch', stage: 'body', epoch: 2, loss: 0.8, accuracy: 0.6, validationLoss: 0.7 },
      { type: 'epoch', stage: 'body', epoch: 'three', loss: null },
      ...[20, 10, 20].map((step, i) => ({ type: 'consistency', stage: 'body', step, ...SHARES, used: i / 10 })),
      { type: 'consistency', stage: 'body', step: 30, used: 0.5 },
      { type: 'note', message: 'nothing of a stage' },
    ]);
    expect(stages).toEqual([
      { name: 'head', seconds: 3, epochs: [{ epoch: 1, loss: 2, learningRate: 0.1 }] },
      {
        name: 'body',
        epochs: [
          { epoch: 1, loss: 1, accuracy: 0.5, imagesPerSecond: 40 },
          { epoch: 2, loss: 0.8, accuracy: 0.6, validationLoss: 0.7 },
        ],
        unlabeled: [
          { step: 10, ...SHARES, used: 0.1 },
          { step: 20, ...SHARES, used: 0.2 },
        ],
      },
    ]);
  });
});

test('numbers read as a person writes them', () => {
  expect(plain(percent(0.8742))).toBe('87.4 %');
  expect([999, 9_100_000, 999_999, 1e12].map(bytes).map(plain)).toEqual(['999 B', '9.10 MB', '1.00 MB', '1.00 TB']);
  expect([7, 2_257_984, 3e8].map(magnitude).map(plain)).toEqual(['7', '2.26 M', '300 M']);
  expect([2.14, 59.6, 75.3, 7325].map(duration)).toEqual(['2.1 s', '1 min 0 s', '1 min 15 s', '2 h 2 min']);
  expect([0, 0.00025, 1.3512, 2.5e-8, 12345].map(number)).toEqual(['0', '0.000250', '1.35', '2.50e-8', '1.23e+4']);
});
