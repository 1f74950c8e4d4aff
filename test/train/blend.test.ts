import { describe, expect, it } from 'vitest';
import { float32 } from '../../src/core/tensor.ts';
import { blendWeights } from '../../src/train/blend.ts';

describe('blendWeights', () => {
  const start = new Map([
    ['w', float32([0, 2, -4])],
    ['other', float32([1])],
  ]);
  const end = new Map([['w', float32([1, 4, 4])]]);

  it('lies on the line between start and end', () => {
    expect([...(blendWeights(start, end, 0.25).get('w')!.data as Float32Array)]).toEqual([0.25, 2.5, -2]);
    expect(blendWeights(start, end, 1).get('w')).toEqual(end.get('w'));
    expect(blendWeights(start, end, 0).get('w')).toEqual(start.get('w'));
    expect(blendWeights(start, end, 0.5).has('other')).toBe(false);
  });

  it('refuses a share out of range and weights without a start', () => {
    expect(() => blendWeights(start, end, 1.5)).toThrow(/0\.\.1/);
    expect(() => blendWeights(new Map(), end, 0.5)).toThrow(/"w"/);
  });
});
