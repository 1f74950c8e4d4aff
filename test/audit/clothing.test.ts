import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { auditData } from '../../src/audit/audit.ts';
import { parsePolicy } from '../../src/augment/policy.ts';
import { temporaryFolder } from '../datasets/image-folder.ts';

const PHOTOS = new URL('../../../shared/data/clothing/train/', import.meta.url);
const PYTHON = process.env['GLEANER_TEST_PYTHON'];

describe.skipIf(!existsSync(PHOTOS) || PYTHON === undefined)('photos shifted by Pillow (GLEANER_TEST_PYTHON)', () => {
  it.each([1, 2])('finds the shift of seed %d, which it is not told, and covers it', async (seed) => {
    const out = temporaryFolder();
    const script = fileURLToPath(new URL('shift.py', import.meta.url));
    execFileSync(PYTHON!, [script, fileURLToPath(PHOTOS), out, String(seed), '500']);
    const truth = JSON.parse(readFileSync(join(out, 'truth.json'), 'utf8')) as Record<string, [number, number]> & {
      angle: number;
    };
    const { findings, proposal } = await auditData(join(out, 'data'), { world: join(out, 'world') });
    const found = findings.flatMap(({ kind, property }) => (kind === 'differs-from-world' ? [property] : []));
    expect(found).toContain('brightness');
    expect(found).toContain('slant');
    // What was not touched is not found to differ.
    for (const same of ['warmth', 'tint', 'saturation', 'side', 'aspect', 'jpegQuality'])
      expect(found).not.toContain(same);
    const items = proposal!.operations.flatMap(({ text }) => parsePolicy(text).image);
    const range = (name: string, parameter: string) =>
      items.find((item) => item.name === name)!.arguments[parameter] as [number, number];
    // The world's light against the data's: at least the middle half of it is covered, and as it is stays in.
    const [low, high] = range('brightness', 'factor');
    const ratio = (share: number): number =>
      (truth['light']![0] + share * (truth['light']![1] - truth['light']![0])) / 1.2;
    // Factors are tried in steps of 0.05 there: the nearest one counts.
    expect(low).toBeLessThanOrEqual(ratio(0.25) + 0.025);
    expect(low).toBeGreaterThanOrEqual(0.5 * ratio(0));
    expect(high).toBe(1);
    const [left, right] = range('rotate', 'angle');
    expect(right).toBeGreaterThanOrEqual(0.6 * truth.angle);
    expect(right).toBeLessThanOrEqual(1.6 * truth.angle);
    expect(left).toBeLessThan(-0.5 * truth.angle);
  });
});

describe.skipIf(!existsSync(PHOTOS))('photos as they are', () => {
  it('finds nothing grave in them', async () => {
    const labels = fileURLToPath(
      new URL('../../../shared/data/label-lists/clothing-50-per-class-seed0.txt', import.meta.url),
    );
    const { findings, world, proposal } = await auditData(fileURLToPath(new URL('..', PHOTOS)), { labelsList: labels });
    // Labelled and unlabelled photos are of one kind; the labelled ones have as many of each class.
    expect(world!.source).toContain('unlabelled');
    expect(findings.filter(({ severity }) => severity === 'high')).toEqual([]);
    expect(proposal!.operations.length).toBeLessThanOrEqual(1);
  });
});
