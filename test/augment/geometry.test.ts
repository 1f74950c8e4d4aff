import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OPERATIONS } from '../../src/augment/operations.ts';
import type { Operation } from '../../src/augment/operation.ts';
import type { Argument, Drawn, Parameters } from '../../src/augment/parameters.ts';
import { drawPolicy, parsePolicy } from '../../src/augment/policy.ts';
import { runSteps } from '../../src/augment/run-steps.ts';
import type { Step, Warp } from '../../src/augment/step.ts';
import { randomStream } from '../../src/core/random.ts';
import { transform } from '../../src/images/matrix.ts';
import type { Pixels, Size } from '../../src/images/pixels.ts';

function noise({ width, height }: Size, seed = 0): Pixels {
  const stream = randomStream('noise', seed);
  return { width, height, data: Uint8Array.from({ length: width * height * 3 }, () => stream.integer(256)) };
}

function smooth({ width, height }: Size): Pixels {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const [c, x, y] = [i % 3, Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
    return Math.round(128 + 60 * Math.sin(x / 9 + c) + 60 * Math.cos(y / 11 - c));
  });
  return { width, height, data };
}

function stepsOf(policy: string, image: Size, seed: string | number = 1): readonly Step[] {
  const site = { image, input: { width: 20, height: 20 }, stream: randomStream(seed), label: undefined };
  return drawPolicy(parsePolicy(policy), site);
}

function run(policy: string, image: Pixels, seed: string | number = 1): Pixels {
  return runSteps(stepsOf(policy, image, seed), image);
}

const SIZES = [
  { width: 8, height: 8 },
  { width: 9, height: 9 },
  { width: 1, height: 1 },
];
const OBLONG = [
  { width: 7, height: 4 },
  { width: 6, height: 9 },
];

describe('pixel centres', () => {
  it.each(SIZES)('four rotations by 90 degrees are the identity: $width x $height', (size) => {
    const image = noise(size);
    const turn = (pixels: Pixels): Pixels => run('rotate(90..90)', pixels);
    const once = turn(image);
    if (size.width > 1) expect(once.data).not.toEqual(image.data);
    expect(turn(turn(turn(once))).data).toEqual(image.data);
    expect(run('rotate(90..90)|rotate(90..90)|rotate(90..90)|rotate(90..90)', image).data).toEqual(image.data);
  });

  it.each([...SIZES, ...OBLONG])('four quarter turns are the identity: $width x $height', (size) => {
    const image = noise(size);
    const turn = (pixels: Pixels): Pixels => run('quarterturn(1)', pixels);
    expect(turn(image)).toMatchObject({ width: size.height, height: size.width });
    expect(turn(turn(turn(turn(image))))).toEqual(image);
    expect(run('quarterturn(3)|quarterturn(2)|quarterturn(-1)', image)).toEqual(image);
  });

  it.each([...SIZES, ...OBLONG])('a flip twice is the identity: $width x $height', (size) => {
    const image = noise(size);
    for (const flip of ['flip(p=1)', 'flipvertical(p=1)']) {
      expect(run(flip, run(flip, image)).data).toEqual(image.data);
      expect(run(`${flip}|${flip}`, image).data).toEqual(image.data);
    }
  });

  it('a rotation by 90 degrees is a quarter turn', () => {
    const image = noise({ width: 9, height: 9 });
    expect(run('rotate(90..90)', image).data).toEqual(run('quarterturn(1)', image).data);
  });
});

describe('affine maps', () => {
  const number = (low: number, high: number) => fc.double({ min: low, max: high, noNaN: true });
  const point = fc.tuple(number(-50, 50), number(-50, 50));
  const angles = fc.tuple(
    number(-180, 180),
    number(-0.5, 0.5),
    number(-0.5, 0.5),
    number(0.3, 3),
    number(-60, 60),
    number(-25, 25),
  );
  const map = ([angle, tx, ty, scale, shearX, shearY]: readonly number[]) => {
    const given = [angle, tx, ty, scale, shearX, shearY].map((value) => `${value!.toFixed(6)}..${value!.toFixed(6)}`);
    const [warp] = stepsOf(`affine(${given.join(',')})`, { width: 31, height: 20 }) as Warp[];
    return (p: readonly [number, number]) => transform(warp!.matrix, p[0], p[1]);
  };

  it('keep lines and the ratios on them', () => {
    fc.assert(
      fc.property(angles, point, point, number(-2, 2), (parameters, p, q, share) => {
        const f = map(parameters);
        const between = f([p[0] + share * (q[0] - p[0]), p[1] + share * (q[1] - p[1])]);
        const [fp, fq] = [f(p), f(q)];
        for (const k of [0, 1]) expect(between[k]!).toBeCloseTo(fp[k]! + share * (fq[k]! - fp[k]!), 6);
      }),
    );
  });

  it('keep parallels parallel', () => {
    fc.assert(
      fc.property(angles, point, point, point, (parameters, p, q, direction) => {
        const f = map(parameters);
        const along = (from: readonly [number, number]) => {
          const [end, start] = [f([from[0] + direction[0], from[1] + direction[1]]), f(from)];
          return [end[0] - start[0], end[1] - start[1]];
        };
        const [one, other] = [along(p), along(q)];
        expect(one[0]! * other[1]! - one[1]! * other[0]!).toBeCloseTo(0, 5);
      }),
    );
  });
});

describe('strength', () => {
  const geometry = [...OPERATIONS.values()].filter(({ group, strength }) => group === 'geometry' && strength);
  const image = noise({ width: 15, height: 12 });

  function at(operation: Operation, level: number, sign: 1 | -1): readonly Step[] {
    const values: Record<string, Argument> = {};
    for (const [name, parameter] of Object.entries(operation.parameters)) values[name] = parameter.default;
    const drawn = { ...values, ...operation.strength!.at(level, sign) } as Drawn<Parameters>;
    return operation.steps(drawn, { image, input: image, stream: randomStream(3) });
  }

  it.each(geometry.map((operation) => [operation.name, operation] as const))(
    '%s is the identity at 0',
    (_, operation) => {
      for (const sign of operation.strength!.signed ? ([1, -1] as const) : ([1] as const)) {
        expect(runSteps(at(operation, 0, sign), image).data).toEqual(image.data);
        expect(runSteps(at(operation, 0.5, sign), image).data).not.toEqual(image.data);
      }
    },
  );

  it("reaches torchvision's ranges at the strongest", () => {
    const strongest = (name: string) => OPERATIONS.get(name)!.strength!.at(1, -1);
    expect(strongest('rotate')).toEqual({ angle: -30 });
    expect(strongest('translatex')).toEqual({ share: -150 / 331 });
    expect(strongest('translatey')).toEqual({ share: -150 / 331 });
    expect(strongest('shearx')).toEqual({ amount: -0.3 });
    expect(strongest('sheary')).toEqual({ amount: -0.3 });
  });
});

describe('crops', () => {
  const image = noise({ width: 30, height: 22 });
  const isPartOf = (part: Pixels): boolean => {
    for (let top = 0; top + part.height <= image.height; top++)
      for (let left = 0; left + part.width <= image.width; left++) if (samePart(part, left, top)) return true;
    return false;
  };
  function samePart(part: Pixels, left: number, top: number): boolean {
    for (let y = 0; y < part.height; y++) {
      const from = ((top + y) * image.width + left) * 3;
      for (let i = 0; i < part.width * 3; i++)
        if (part.data[y * part.width * 3 + i] !== image.data[from + i]) return false;
    }
    return true;
  }

  it('have the size of the input, unless they are told another', () => {
    for (const name of ['centercrop', 'randomcrop', 'randomresizedcrop', 'fivecrop']) {
      expect(run(name, image)).toMatchObject({ width: 20, height: 20 });
      expect(run(`${name}(13)`, image)).toMatchObject({ width: 13, height: 13 });
    }
    expect(run('resize(11)', image)).toMatchObject({ width: 15, height: 11 });
    expect(run('resize', image)).toMatchObject({ width: 27, height: 20 });
    expect(run('resize(11,exact)', image)).toMatchObject({ width: 11, height: 11 });
    expect(run('pad(3)', image)).toMatchObject({ width: 36, height: 28 });
  });

  it('cut whole pixels, all over the image', () => {
    const found = new Set<string>();
    for (let seed = 0; seed < 60; seed++) {
      const part = run('randomcrop(16)', image, seed);
      expect(isPartOf(part)).toBe(true);
      found.add(Buffer.from(part.data).toString('base64'));
    }
    expect(found.size).toBeGreaterThan(40);
  });

  it('take each of the five', () => {
    const found = new Set(
      Array.from({ length: 60 }, (_, seed) => Buffer.from(run('fivecrop(16)', image, seed).data).toString('base64')),
    );
    const all = [
      [0, 0],
      [14, 0],
      [0, 6],
      [14, 6],
      [7, 3],
    ]
      .map(([left, top]) => run(`affinematrix(1,0,${-left!},0,1,${-top!})`, image))
      .map((moved) => run('quarterturn(0)', moved));
    expect(found.size).toBe(5);
    for (const moved of all) {
      const rows = Array.from({ length: 16 }, (_, y) => [...moved.data.subarray(y * 90, y * 90 + 48)]).flat();
      expect(found).toContain(Buffer.from(rows).toString('base64'));
    }
  });

  it('show the fill around a padded or a small image', () => {
    const border = run('randomcrop(40,fill=#090807)', image);
    const isFill = (i: number): boolean => [9, 8, 7].every((value, c) => border.data[i * 3 + c] === value);
    expect(Array.from({ length: 1600 }, (_, i) => isFill(i)).filter(Boolean)).toHaveLength(1600 - 30 * 22);
    const padded = Array.from({ length: 40 }, (_, seed) => run('randomcrop(22,padding=6,fill=#090807)', image, seed));
    expect(padded.some(({ data }) => data[0] === 9 && data[1] === 8 && data[2] === 7)).toBe(true);
  });

  it('refuse what makes no sense, and say where', () => {
    expect(() => parsePolicy('flip|affinematrix(1,2,0,2,4,0)')).toThrow(/character 6.*folds the image into a line/);
    expect(() => parsePolicy('randomresizedcrop(224,scale=0..1)')).toThrow(/"scale=0..1".*0.0001 to 1/);
    expect(() => parsePolicy('centercrop(0)')).toThrow(/"size" must be an integer from 1/);
  });
});

describe('warps in a chain', () => {
  const copies = [
    'flip(p=1)',
    'flipvertical(p=1)',
    'quarterturn(1..3)',
    'randomcrop(9)',
    'pad(3,fill=#102030)',
    'randomcrop(14,padding=4,fill=#102030)',
    'translatex(0.5..0.5,fill=#102030)',
  ];
  const oneByOne = (steps: readonly Step[], image: Pixels): Pixels =>
    steps.reduce<Pixels>((pixels, step) => runSteps([step], pixels), image);

  it('that move whole pixels give the same at once as one after the other', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...copies), { minLength: 2, maxLength: 6 }), fc.nat(), (names, seed) => {
        const image = noise({ width: 16, height: 12 });
        // Half of an odd width is half a pixel.
        const steps = stepsOf(names.join('|'), image, seed).map((step) =>
          'matrix' in step ? { ...step, matrix: step.matrix.map(Math.round) as unknown as Warp['matrix'] } : step,
        );
        expect(runSteps(steps, image)).toEqual(oneByOne(steps, image));
      }),
      { numRuns: 300 },
    );
  });

  const warps = [
    'rotate(20,fill=90)',
    'translatex(0.2,fill=90)',
    'translatey(0.2,fill=90)',
    'shearx(0.2,fill=90)',
    'sheary(0.2,fill=90)',
    'scale(0.9..1.3,fill=90)',
    'affine(10,0.1,0.1,0.9..1.2,5,5,fill=90)',
    'perspective(0.2,fill=90)',
    'flip(p=1)',
    'quarterturn(1..3)',
    'randomresizedcrop(56,scale=0.4..1)',
    'randomcrop(48)',
    'resize(60)',
  ];

  it('of any kind agree on smooth images with one after the other', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...warps), { minLength: 2, maxLength: 4 }), fc.nat(), (names, seed) => {
        const image = smooth({ width: 72, height: 64 });
        const steps = stepsOf(names.join('|'), image, seed);
        const [fused, apart] = [runSteps(steps, image), oneByOne(steps, image)];
        const differences = apart.data.map((value, i) => Math.abs(value - fused.data[i]!)).toSorted();
        // Rounding to bytes at every step and the blur of sampling again: a few levels. At the borders of what is seen
        // the two may be half a pixel apart, which is less than an eighth of all pixels here.
        expect(differences[Math.floor(differences.length * 0.88)]).toBeLessThanOrEqual(4);
        const mean = differences.reduce((sum, value) => sum + value, 0) / differences.length;
        expect(mean).toBeLessThan(2.5);
      }),
      { numRuns: 200 },
    );
  });

  it('show fill, not what a crop cut away', () => {
    const image = { width: 40, height: 40, data: new Uint8Array(4800).fill(255) };
    for (const policy of [
      'centercrop(20)|rotate(45..45)',
      'centercrop(20)|rotate(45..45)|flip(p=1)',
      'centercrop(20)|resize(30)|rotate(45..45)',
      'rotate(30..30)|scale(2..2)|centercrop(20)|rotate(45..45)',
    ]) {
      const { width, data } = run(policy, image);
      expect([policy, data[0], data[width * 3 - 1]]).toEqual([policy, 0, 0]);
      const middle = ((width * width) / 2 + width / 2) * 3;
      expect(data[middle]).toBe(255);
    }
  });

  it('show what was lost outside of an image between them as fill', () => {
    const image = { width: 20, height: 20, data: new Uint8Array(1200).fill(255) };
    const there = 'translatex(0.5..0.5)|translatex(-0.5..-0.5)';
    expect([...run(there, image).data.subarray(0, 60)]).toEqual([...Array(30).fill(255), ...Array(30).fill(0)]);
    // With turns between, so that the map is no longer straight.
    const turned = run(`rotate(30..30)|${there}|rotate(-30..-30)`, image);
    expect(turned.data[(10 * 20 + 5) * 3]).toBe(255);
    expect(turned.data[(10 * 20 + 16) * 3]).toBe(0);
  });
});

describe('antialias', () => {
  it('averages where a general map shrinks', () => {
    const width = 64;
    // Stripes of one pixel: without averages, shrinking by four shows stripes or one of their colours.
    const data = Uint8Array.from({ length: width * width * 3 }, (_, i) => (Math.floor(i / 3) % 2) * 255);
    const image = { width, height: width, data };
    const centre = (pixels: Pixels) => {
      const values = [];
      for (let y = 28; y < 36; y++) for (let x = 28; x < 36; x++) values.push(pixels.data[(y * width + x) * 3]!);
      return values;
    };
    const averaged = centre(run('affine(10..10,0..0,0..0,0.25..0.25)', image));
    expect(Math.max(...averaged.map((value) => Math.abs(value - 127.5)))).toBeLessThan(12);
    const aliased = centre(run('affine(10..10,0..0,0..0,0.25..0.25,antialias=off)', image));
    expect(Math.max(...aliased) - Math.min(...aliased)).toBeGreaterThan(100);
  });
});
