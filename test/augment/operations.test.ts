import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { Operation } from '../../src/augment/operation.ts';
import { OPERATIONS } from '../../src/augment/operations.ts';
import { parsePolicy } from '../../src/augment/policy.ts';
import { runSteps } from '../../src/augment/run-steps.ts';
import { resizedCrop } from '../../src/images/crops.ts';
import { decodeImage } from '../../src/images/decode.ts';
import type { Pixels, Size } from '../../src/images/pixels.ts';
import { meanChange, pictures } from './support/pictures.ts';
import { runOperation, stepsOf } from './support/run-operation.ts';

const operations = [...OPERATIONS.values()];
const gradual = operations.flatMap((operation) =>
  operation.strength === undefined
    ? []
    : (operation.strength.signed ? ([1, -1] as const) : ([1] as const)).map((sign) => ({
        name: operation.name,
        sign,
        operation,
        at: (level: number) => operation.strength!.at(level, sign) as Readonly<Record<string, number>>,
      })),
);
/** RandAugment's: M / 30. */
const levels = Array.from({ length: 31 }, (_, m) => m / 30);
const images = pictures();

function identityOf({ parameters, group }: Operation): Record<string, number> | undefined {
  const entries = Object.entries(parameters).flatMap(([name, parameter]) =>
    parameter.kind === 'range' && parameter.identity !== undefined ? [[name, parameter.identity] as const] : [],
  );
  if (entries.length === 0) return undefined;
  // The largest part is all of the image where it has the image's aspect.
  if (parameters['ratio'] !== undefined && group === 'crop')
    entries.push(['ratio', images[0]!.width / images[0]!.height]);
  return Object.fromEntries(entries);
}

describe('every operation', () => {
  it('can be found under its own name', () => {
    expect(operations.length).toBeGreaterThan(30);
    for (const [name, operation] of OPERATIONS) expect(operation.name).toBe(name);
  });

  it.each(operations)('$name: leaves each byte as it is at its identity', (operation) => {
    const identity = identityOf(operation);
    if (identity === undefined) return;
    for (const image of images)
      for (const seed of [1, 2, 3])
        expect(meanChange(image, runOperation(operation, identity, image, seed)), `${seed}`).toBe(0);
  });

  it.each(operations)('$name: without an identity has no strength either', (operation) => {
    if (identityOf(operation) === undefined) expect(operation.strength).toBeUndefined();
  });

  // The six numbers of a matrix have to be given: by themselves they change nothing.
  it.each(operations.filter(({ name }) => name !== 'affinematrix'))(
    '$name: changes an image by its defaults',
    (operation) => {
      const seeds = Array.from({ length: 8 }, (_, seed) => seed);
      const isChanged = images.some((image) =>
        seeds.some((seed) => {
          // Crops give the size of the network's input.
          const input = operation.group === 'crop' ? { width: 20, height: 30 } : image;
          const result = runSteps(stepsOf(operation, {}, image, seed, input), image);
          return result.width !== image.width || result.height !== image.height || meanChange(image, result) > 0;
        }),
      );
      expect(isChanged).toBe(true);
    },
  );

  it.each(operations)('$name: does the same again from the same stream, and leaves its source alone', (operation) => {
    const [image] = pictures() as [Pixels];
    const before = image.data.slice();
    const steps = stepsOf(operation, {}, image);
    const first = runSteps(steps, image);
    const kept = first.data.slice();
    // Steps may be run again, also after others used the same working memory.
    runOperation(operation, {}, pictures(40, 70)[1]!, 5);
    expect(runSteps(steps, image)).toEqual({ ...first, data: kept });
    expect(runOperation(operation, {}, image)).toEqual({ ...first, data: kept });
    expect(image.data).toEqual(before);
  });

  it.each(operations)('$name: gives an image of the size that its steps say, however small', (operation) => {
    for (const [width, height] of [
      [1, 1],
      [1, 9],
      [7, 2],
      [33, 17],
    ] as const) {
      const [image] = pictures(width, height) as [Pixels];
      const steps = stepsOf(operation, {}, image);
      const sizes: Size[] = [{ width, height }, ...steps.flatMap((step) => ('size' in step ? [step.size!] : []))];
      const size = sizes.at(-1)!;
      const result = runSteps(steps, image);
      expect([result.width, result.height]).toEqual([size.width, size.height]);
      expect(result.data.length).toBe(size.width * size.height * 3);
    }
  });

  it.each(operations)('$name: refuses what is out of range', ({ name, parameters }) => {
    for (const [key, parameter] of Object.entries(parameters)) {
      if (parameter.kind === 'choice' || parameter.kind === 'fill') {
        expect(() => parsePolicy(`${name}(${key}=nothing-like-it)`)).toThrow(`"${key}" must be`);
        continue;
      }
      const [low, high] = parameter.kind === 'range' ? parameter.default : [parameter.default, parameter.default];
      for (const value of [low, high])
        if (value !== undefined) {
          expect(value).toBeGreaterThanOrEqual(parameter.min);
          expect(value).toBeLessThanOrEqual(parameter.max);
        }
      for (const value of [parameter.min - 1, parameter.max + 1]) {
        const text = parameter.kind === 'range' ? `${value}..${value}` : `${value}`;
        expect(() => parsePolicy(`${name}(${key}=${text})`)).toThrow(`"${key}" must`);
      }
    }
  });

  it.each(operations)('$name: is written as it is read', ({ name, parameters }) => {
    expect(parsePolicy(name).text).toBe(name);
    for (const [key, parameter] of Object.entries(parameters)) {
      if (parameter.kind !== 'range') continue;
      const { text, image } = parsePolicy(`${name}(${key}=${parameter.min}..${parameter.max}, p=0.75)`);
      expect(image[0]!.arguments).toMatchObject({ [key]: [parameter.min, parameter.max], p: 0.75 });
      expect(parsePolicy(text).image).toEqual(image);
    }
  });
});

describe('strength', () => {
  it.each(gradual)('$name ($sign): is strictly monotone and within the ranges', ({ at, operation }) => {
    const rows = levels.map(at);
    const isStrict = Object.keys(rows[0]!).map((key) => {
      const values = rows.map((row) => row[key]!);
      const parameter = operation.parameters[key] as { readonly min: number; readonly max: number };
      expect(Math.min(...values)).toBeGreaterThanOrEqual(parameter.min);
      expect(Math.max(...values)).toBeLessThanOrEqual(parameter.max);
      const steps = values.slice(1).map((value, i) => value - values[i]!);
      expect(steps.every((step) => step >= 0) || steps.every((step) => step <= 0)).toBe(true);
      return steps.every((step) => step > 0) || steps.every((step) => step < 0);
    });
    expect(isStrict).toContain(true);
  });

  it.each(gradual)('$name ($sign): level 0 leaves each byte as it is', ({ operation, at }) => {
    for (const image of images)
      for (const seed of [1, 2, 3]) expect(meanChange(image, runOperation(operation, at(0), image, seed))).toBe(0);
  });

  it.each(gradual)('$name ($sign): the mean change of pixels does not fall', ({ operation, at }) => {
    expectRising(operation, at, images, [1, 2, 3, 4]);
  });
});

const clothing = new URL('../../../shared/data/clothing/train/', import.meta.url);

describe.skipIf(!existsSync(clothing))('strength on photos', async () => {
  const files = existsSync(clothing)
    ? readdirSync(clothing).map((name) => {
        const folder = new URL(`${name}/`, clothing);
        return fileURLToPath(new URL(readdirSync(folder).toSorted()[0]!, folder));
      })
    : [];
  const photos = await Promise.all(files.map(photo));

  it.each(gradual)('$name ($sign): the mean change of pixels does not fall', ({ operation, at }) => {
    expectRising(operation, at, photos, [1, 2]);
  });
});

async function photo(file: string): Promise<Pixels> {
  const { data, width, height } = await decodeImage(file);
  const small = new Uint8Array(96 * 72 * 3);
  resizedCrop(data, width, { left: 0, top: 0, width, height }, [72, 96], false, small);
  return { width: 96, height: 72, data: small };
}

/** Over all images and drawings together: where a hole falls on a plain spot, or a pattern is moved onto itself, one picture alone says nothing. */
function expectRising(
  operation: Operation,
  at: (level: number) => object,
  on: readonly Pixels[],
  seeds: readonly number[],
): void {
  const changes = levels.map((level) =>
    on.reduce(
      (sum, image) =>
        seeds.reduce(
          (total, seed) => total + meanChange(image, runOperation(operation, { ...at(level) }, image, seed)),
          sum,
        ),
      0,
    ),
  );
  expect(changes).toEqual(changes.toSorted((one, other) => one - other));
  expect(changes.at(-1)).toBeGreaterThan(0);
}
