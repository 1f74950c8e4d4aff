import { describe, expect, it } from 'vitest';
import { align, alignSource, smoothed, type GreyImage } from '../../src/images/align.ts';
import { describeViews, DESCRIPTOR_LENGTH, VIEW_SIDE, VIEWS } from '../../src/images/views.ts';

/** A smooth picture over the unit square, sampled over a window of it. */
function picture(side: number, left = 0, top = 0, width = 1, height = 1): GreyImage {
  const data = Float32Array.from({ length: side * side }, (_, at) => {
    const x = left + (width * ((at % side) + 0.5)) / side;
    const y = top + (height * (Math.floor(at / side) + 0.5)) / side;
    return 128 + 50 * Math.sin(9 * x + 4 * y) + 40 * Math.cos(7 * y - 3 * x * x) + 20 * Math.sin(17 * x * y);
  });
  return { side, data };
}

const template = (image: GreyImage): GreyImage => ({ side: image.side, data: smoothed(image) });
const full = { left: 0, top: 0, width: 1, height: 1 };

describe('align', () => {
  it('finds the window that a crop shows', () => {
    const window = { left: 0.07, top: 0.03, width: 0.9, height: 0.93 };
    const crop = picture(64, window.left, window.top, window.width, window.height);
    const found = align(alignSource(picture(128), 4), template(crop), { ...full, width: 0.95, height: 0.95 });
    for (const key of ['left', 'top', 'width', 'height'] as const) expect(found.view[key]).toBeCloseTo(window[key], 2);
    expect(found.unexplained).toBeLessThan(1e-3);
    expect(found.gain).toBeCloseTo(1, 1);
  });

  it('measures contrast, whatever the brightness', () => {
    const image = picture(64);
    const darker = { side: 64, data: image.data.map((value) => value / 2 + 20) };
    const found = align(alignSource(image), template(darker), full);
    expect(found.gain).toBeCloseTo(0.5, 3);
    expect(found.unexplained).toBeLessThan(1e-6);
  });

  it('leaves another picture unexplained', () => {
    const other = { side: 64, data: picture(64).data.map((_, at) => 128 + 60 * Math.sin(at / 5 + (at % 64) / 3)) };
    expect(align(alignSource(picture(64)), template(other), full).unexplained).toBeGreaterThan(0.5);
  });

  it('stays where it starts with no steps', () => {
    const start = { left: 0.05, top: 0, width: 0.9, height: 1 };
    expect(align(alignSource(picture(32)), template(picture(32)), start, 0).view).toEqual(start);
  });
});

describe('describeViews', () => {
  const grey = Uint8Array.from(picture(VIEW_SIDE).data, Math.round);
  const describe = (image: Uint8Array): Float32Array => {
    const into = new Float32Array(DESCRIPTOR_LENGTH);
    describeViews(image, 1, into);
    return into;
  };

  it('has length 1, and an odd half that mirroring negates', () => {
    const straight = describe(grey);
    const mirrored = describe(grey.map((_, at) => grey[at - (at % VIEW_SIDE) + VIEW_SIDE - 1 - (at % VIEW_SIDE)]!));
    expect(Math.hypot(...straight)).toBeCloseTo(1, 5);
    const half = DESCRIPTOR_LENGTH / 2;
    for (let i = 0; i < half; i++) {
      expect(mirrored[i]).toBeCloseTo(straight[i]!, 5);
      expect(mirrored[half + i]).toBeCloseTo(-straight[half + i]!, 5);
    }
  });

  it('is the same whatever the brightness and contrast', () => {
    const changed = describe(grey.map((value) => 30 + value / 2));
    for (const [i, value] of describe(grey).entries()) expect(changed[i]).toBeCloseTo(value, 1);
  });

  it('is nearly that of the crop which a window shows', () => {
    const all = new Float32Array(VIEWS.length * DESCRIPTOR_LENGTH);
    describeViews(grey, VIEWS.length, all);
    for (const [v, { left, top, width, height }] of VIEWS.entries()) {
      const ofView = all.subarray(v * DESCRIPTOR_LENGTH, (v + 1) * DESCRIPTOR_LENGTH);
      const crop = describe(Uint8Array.from(picture(VIEW_SIDE, left, top, width, height).data, Math.round));
      const distance = Math.hypot(...ofView.map((value, i) => value - crop[i]!));
      expect(distance).toBeLessThan(0.02);
    }
  });

  it('gives zeros where there is no contrast', () => {
    expect(describe(new Uint8Array(VIEW_SIDE * VIEW_SIDE).fill(90)).every((value) => value === 0)).toBe(true);
  });
});
