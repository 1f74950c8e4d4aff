import { describe, expect, it } from 'vitest';
import { daylightGains, planckianLocus } from '../../../src/augment/black-body.ts';
import { OPERATIONS } from '../../../src/augment/operations.ts';
import type { Pixels } from '../../../src/images/pixels.ts';
import { runOperation } from '../support/run-operation.ts';

const flat = (value: number, width = 80, height = 60): Pixels => ({
  width,
  height,
  data: new Uint8Array(width * height * 3).fill(value),
});
const reds = ({ data }: Pixels): number[] => Array.from(data.filter((_, i) => i % 3 === 0));
/** Largest step from a pixel to its right neighbour. */
const roughness = ({ data, width }: Pixels): number =>
  Math.max(...data.map((value, i) => ((i / 3) % width < width - 1 ? Math.abs(value - data[i + 3]!) : 0)));

describe('fog', () => {
  it('brightens dark and dims bright, in soft patches', () => {
    const dark = runOperation(OPERATIONS.get('fog')!, { intensity: 0.8 }, flat(10));
    const values = reds(dark);
    expect(Math.min(...values)).toBeGreaterThan(10 + 0.8 * 0.4 * (225 - 10) - 2);
    expect(Math.max(...values)).toBeLessThan(10 + 0.8 * (225 - 10) + 2);
    expect(Math.max(...values) - Math.min(...values)).toBeGreaterThan(20);
    expect(roughness(dark)).toBeLessThan(15);
    expect(Math.max(...reds(runOperation(OPERATIONS.get('fog')!, { intensity: 0.8 }, flat(255))))).toBeLessThan(250);
  });
});

describe('shadow', () => {
  it('darkens by its share inside, nothing outside', () => {
    const areas = Array.from({ length: 60 }, (_, seed) => {
      const values = reds(runOperation(OPERATIONS.get('shadow')!, { darkness: 0.5 }, flat(200), seed));
      expect(Math.min(...values)).toBe(100);
      expect(Math.max(...values)).toBeLessThanOrEqual(200);
      return values.filter((value) => value < 150).length / values.length;
    });
    // Neither all nor nothing in most drawings.
    expect(areas.filter((area) => area > 0.1 && area < 0.95).length).toBeGreaterThan(45);
  });

  it('is no darker where shadows meet', () => {
    const values = reds(runOperation(OPERATIONS.get('shadow')!, { darkness: 0.5, count: 8 }, flat(200)));
    expect(Math.min(...values)).toBe(100);
  });
});

describe('sunflare', () => {
  it('brightens towards the sun', () => {
    for (let seed = 0; seed < 20; seed++) {
      const result = runOperation(OPERATIONS.get('sunflare')!, { intensity: 0.9, radius: 0.5 }, flat(60), seed);
      const values = reds(result);
      expect(Math.min(...values)).toBeGreaterThanOrEqual(60);
      expect(Math.max(...values)).toBeGreaterThan(100);
      const half = values.length / 2;
      const sum = (part: number[]): number => part.reduce((total, value) => total + value, 0);
      expect(sum(values.slice(0, half))).toBeGreaterThan(sum(values.slice(half)));
    }
  });
});

describe('the light of a black body', () => {
  // CIE 15: illuminant A (2856 K) and the Planckian locus.
  it.each([
    [2856, 0.44757, 0.40745],
    [6500, 0.31352, 0.32363],
    [2000, 0.52669, 0.41331],
    [5000, 0.3451, 0.35161],
    [10_000, 0.28063, 0.28829],
  ])('has the published chromaticity at %i K', (kelvin, x, y) => {
    const [foundX, foundY] = planckianLocus(kelvin);
    expect(Math.abs(foundX - x)).toBeLessThan(1e-3);
    expect(Math.abs(foundY - y)).toBeLessThan(1e-3);
  });

  it('changes nothing at 6500 K', () => {
    expect(daylightGains(6500).map((gain) => Math.round(gain * 1e12) / 1e12)).toEqual([1, 1, 1]);
  });

  it("keeps a grey's luminance", () => {
    for (const kelvin of [2000, 4000, 9000, 20_000]) {
      const [red, green, blue] = daylightGains(kelvin);
      expect(0.2126 * red + 0.7152 * green + 0.0722 * blue).toBeCloseTo(1, 6);
    }
  });
});
