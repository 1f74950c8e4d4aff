import { describe, expect, it } from 'vitest';
import { equalizeTiles } from '../../../src/augment/equalize-tiles.ts';
import { changeLightness, lightnessOf } from '../../../src/augment/lightness.ts';
import { OPERATIONS } from '../../../src/augment/operations.ts';
import { bytesOf, distance, readGolden, type GoldenCase } from '../support/golden.ts';
import { runOperation } from '../support/run-operation.ts';

interface ClaheCase extends GoldenCase {
  readonly lightness: { readonly before: string; readonly after: string };
}

const { image, cases } = readGolden<ClaheCase>('clahe');

describe.each(cases)('CLAHE against OpenCV: $values', ({ values, lightness, opencv }) => {
  const [before, after] = [bytesOf(lightness.before), bytesOf(lightness.after)];

  // OpenCV blends tables in single precision: now and then a half falls to the other side.
  it('equalises tiles alike', () => {
    const result = new Uint8Array(before.length);
    equalizeTiles(before, image, values['clip']!, values['tiles']!, result);
    const { most, mean } = distance(result, after);
    expect(most).toBeLessThanOrEqual(1);
    expect(mean).toBeLessThan(0.02);
  });

  // OpenCV's conversion of bytes has tables of few places.
  it('finds the same lightness within a grey level', () => {
    const result = new Uint8Array(before.length);
    lightnessOf(image, result);
    const { most, mean } = distance(result, before);
    expect(most).toBeLessThanOrEqual(1);
    expect(mean).toBeLessThan(0.15);
  });

  // OpenCV rounds a* and b* to bytes: in the mean half a level, up to 10 in dark channels of saturated colours.
  it('gives nearly the same colours for the same lightness', () => {
    const result = { ...image, data: image.data.slice() };
    changeLightness(result, before, after);
    const { most, mean } = distance(result.data, bytesOf(opencv!));
    expect(most).toBeLessThanOrEqual(10);
    expect(mean).toBeLessThan(0.6);
  });
});

describe('clahe', () => {
  it('joins the three', () => {
    const [from, to] = [new Uint8Array(image.data.length / 3), new Uint8Array(image.data.length / 3)];
    lightnessOf(image, from);
    equalizeTiles(from, image, 3, 4, to);
    const expected = { ...image, data: image.data.slice() };
    changeLightness(expected, from, to);
    expect(runOperation(OPERATIONS.get('clahe')!, { clip: 3, tiles: 4 }, image)).toEqual(expected);
  });
});
