import { describe, expect, it } from 'vitest';
import { OPERATIONS } from '../../../src/augment/operations.ts';
import { parsePolicy } from '../../../src/augment/policy.ts';
import type { Pixels } from '../../../src/images/pixels.ts';
import { bytesOf, distance, distanceFrom, readGolden } from '../support/golden.ts';
import { pictures } from '../support/pictures.ts';
import { runOperation } from '../support/run-operation.ts';

const golden = readGolden('colour');
const named = (...names: string[]) => golden.cases.filter(({ operation }) => names.includes(operation));

describe('operations of colour against Pillow and torchvision', () => {
  it.each(named('solarize', 'posterize', 'invert'))('the same bytes: $operation $values', (found) => {
    expect(distanceFrom('pillow', golden, found).most).toBe(0);
    expect(distanceFrom('torchvision', golden, found).most).toBe(0);
  });

  // Both cut off what comes after the point, which darkens by half a grey level in the mean; we round to the nearest.
  it.each(named('brightness', 'contrast', 'gamma', 'sharpness', 'autocontrast'))(
    'within one grey level: $operation $values',
    (found) => {
      expect(distanceFrom('pillow', golden, found).most).toBeLessThanOrEqual(1);
      expect(distanceFrom('torchvision', golden, found).most).toBeLessThanOrEqual(1);
    },
  );

  // torchvision cuts off the luma, too, before it blends: half a level more. We follow Pillow, which rounds it.
  it.each(named('saturation', 'grayscale'))(
    'Pillow within one grey level, torchvision within two: $values',
    (found) => {
      expect(distanceFrom('pillow', golden, found).most).toBeLessThanOrEqual(found.values['amount'] === 1 ? 0 : 1);
      expect(distanceFrom('torchvision', golden, found).most).toBeLessThanOrEqual(2);
    },
  );

  // Pillow holds hue and saturation in bytes, up to 10 grey levels off on this image; we follow torchvision's tensors.
  it.each(named('hue'))('torchvision within one grey level: $values', (found) => {
    const { most, mean } = distanceFrom('torchvision', golden, found);
    expect(most).toBeLessThanOrEqual(1);
    expect(mean).toBeLessThan(0.1);
    expect(distanceFrom('pillow', golden, found).mean).toBeLessThan(1);
  });
});

const [scene] = pictures() as [Pixels];
const run = (name: string, values: Record<string, number>, seed = 1): Pixels =>
  runOperation(OPERATIONS.get(name)!, values, scene, seed);
const channelMeans = ({ data }: Pixels): number[] =>
  [0, 1, 2].map((channel) => data.filter((_, i) => i % 3 === channel).reduce((sum, value) => sum + value, 0));

describe('posterize', () => {
  it('blends between whole bits', () => {
    const [four, five] = [run('posterize', { bits: 4 }), run('posterize', { bits: 5 })];
    const between = run('posterize', { bits: 4.25 });
    expect(between.data).toEqual(four.data.map((value, i) => Math.round(0.75 * value + 0.25 * five.data[i]!)));
  });
});

describe('equalize and autocontrast', () => {
  const wider = readGolden('equalize');

  it.each(wider.cases)('equalize: the same bytes as Pillow and torchvision', (found) => {
    expect(distanceFrom('pillow', wider, found).most).toBe(0);
    expect(distanceFrom('torchvision', wider, found).most).toBe(0);
    expect(distance(bytesOf(found.pillow!), wider.image.data).mean).toBeGreaterThan(10);
  });

  it.each(['equalize', 'autocontrast'])('%s: an amount of half lies halfway', (name) => {
    const whole = run(name, { amount: 1 });
    const half = run(name, { amount: 0.5 });
    for (const [i, value] of half.data.entries())
      expect(Math.abs(value - (scene.data[i]! + whole.data[i]!) / 2)).toBeLessThanOrEqual(1);
  });

  it.each(['equalize', 'autocontrast'])('%s: a flat image stays', (name) => {
    const flat = { width: 5, height: 4, data: new Uint8Array(60).fill(77) };
    expect(runOperation(OPERATIONS.get(name)!, { amount: 1 }, flat).data).toEqual(flat.data);
  });
});

describe('channelshuffle', () => {
  it('exchanges channels, each of the five orders about equally often', () => {
    const orders = new Map<string, number>();
    const image = { width: 1, height: 1, data: new Uint8Array([10, 100, 200]) };
    for (let seed = 0; seed < 500; seed++) {
      const order = runOperation(OPERATIONS.get('channelshuffle')!, { amount: 1 }, image, seed).data.join();
      orders.set(order, (orders.get(order) ?? 0) + 1);
    }
    expect([...orders.keys()].toSorted()).toEqual([
      '10,200,100',
      '100,10,200',
      '100,200,10',
      '200,10,100',
      '200,100,10',
    ]);
    expect(Math.min(...orders.values())).toBeGreaterThan(60);
  });
});

describe('rgbshift', () => {
  it('adds to each channel no more than the greatest', () => {
    const grey = { width: 1, height: 1, data: new Uint8Array([128, 128, 128]) };
    const shifts = Array.from({ length: 300 }, (_, seed) =>
      Array.from(runOperation(OPERATIONS.get('rgbshift')!, { greatest: 30 }, grey, seed).data),
    ).flat();
    expect(Math.min(...shifts)).toBe(98);
    expect(Math.max(...shifts)).toBe(158);
  });
});

describe('lighting', () => {
  it('adds along the axes, as far as their variances say', () => {
    // AlexNet's covariance: vectors * diag(values^2) * vectors^T, of weights with a standard deviation of 0.1.
    const grey = { width: 1, height: 1, data: new Uint8Array([128, 128, 128]) };
    const shifts = Array.from({ length: 4000 }, (_, seed) =>
      Array.from(runOperation(OPERATIONS.get('lighting')!, { stddev: 1 }, grey, seed).data, (value) => value - 128),
    );
    const deviations = [0, 1, 2].map((c) => Math.sqrt(shifts.reduce((sum, row) => sum + row[c]! ** 2, 0) / 4000));
    const expected = [
      [0.5675, 0.7192, 0.4009],
      [0.5808, 0.0045, 0.814],
      [0.5836, 0.6948, 0.4203],
    ].map((row) => 255 * Math.hypot(row[0]! * 0.2175, row[1]! * 0.0188, row[2]! * 0.0045));
    for (const c of [0, 1, 2]) expect(deviations[c]! / expected[c]!).toBeCloseTo(1, 1);
    // Along the first axis, which is grey, all channels go the same way.
    expect(shifts.filter(([red, , blue]) => red! * blue! < 0).length).toBeLessThan(400);
  });
});

describe('temperature', () => {
  it('is warmer below 6500 K and cooler above', () => {
    const [red, green, blue] = channelMeans(scene);
    const warm = channelMeans(run('temperature', { kelvin: 3000 }));
    const cool = channelMeans(run('temperature', { kelvin: 12_000 }));
    expect(warm[0]! / red!).toBeGreaterThan(warm[1]! / green!);
    expect(warm[1]! / green!).toBeGreaterThan(warm[2]! / blue!);
    expect(cool[0]! / red!).toBeLessThan(cool[2]! / blue!);
  });
});

describe('colorjitter', () => {
  it('does the four in an order that is drawn', () => {
    const values = { brightness: 1.5, contrast: 1.5, saturation: 1.5, hue: 0.1 };
    const results = new Set(Array.from({ length: 200 }, (_, seed) => run('colorjitter', values, seed).data.join()));
    // 24 orders; hue and saturation give nearly the same in either order, but not the same bytes.
    expect(results.size).toBeGreaterThan(12);
    expect(results.size).toBeLessThanOrEqual(24);
  });

  it('does each with its own factor', () => {
    const one = { brightness: 1, contrast: 1, saturation: 1, hue: 0 };
    expect(run('colorjitter', { ...one, brightness: 1.3 })).toEqual(run('brightness', { factor: 1.3 }));
    expect(run('colorjitter', { ...one, contrast: 0.6 })).toEqual(run('contrast', { factor: 0.6 }));
    expect(run('colorjitter', { ...one, saturation: 1.7 })).toEqual(run('saturation', { factor: 1.7 }));
    expect(run('colorjitter', { ...one, hue: -0.2 })).toEqual(run('hue', { turn: -0.2 }));
  });

  it('takes four numbers as torchvision does', () => {
    const [item] = parsePolicy('colorjitter(0.4, 0.3, 0.2, 0.1)').image;
    expect(item!.arguments).toEqual({
      brightness: [0.6, 1.4],
      contrast: [0.7, 1.3],
      saturation: [0.8, 1.2],
      hue: [-0.1, 0.1],
      p: 1,
    });
  });
});
