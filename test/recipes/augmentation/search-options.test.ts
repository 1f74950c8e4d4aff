import { describe, expect, it } from 'vitest';
import { InputError } from '../../../src/core/errors.ts';
import { resolveSearchOptions } from '../../../src/recipes/augmentation/search-options.ts';

const data = 'photos';

describe('resolveSearchOptions', () => {
  it('takes --flip as a word on flips, which are searched like any operation', () => {
    expect(resolveSearchOptions({ data })).toMatchObject({ allow: [], deny: [] });
    expect(resolveSearchOptions({ data, flip: 'on', allow: ['rotate'] })).toMatchObject({ allow: ['rotate', 'flip'] });
    expect(resolveSearchOptions({ data, flip: 'off' })).toMatchObject({ deny: ['flip'] });
  });

  it('reads again what it resolved, as a resumed search does', () => {
    const resolved = resolveSearchOptions({ data, flip: 'off', deny: ['invert'], minutes: 3 });
    const { train, ...rest } = structuredClone(resolved);
    expect(resolveSearchOptions({ ...train, ...rest } as Parameters<typeof resolveSearchOptions>[0])).toEqual(resolved);
  });

  it.each([
    [{ blend: 0.5 }, '"blend" would have no effect'],
    [{ patience: 3, profile: true }, '"patience", "profile" would have no effect'],
    [{ variants: ['bare'] as ['bare'] }, '"variants"'],
    [{ useVal: true }, '"useVal"'],
    [{ augment: 'flip' }, 'leave it out'],
    [{ flip: 'on' as const, deny: ['flip'] }, '"flip" is both allowed and denied'],
    [{ allow: ['rotat'] }, 'did you mean "rotate"'],
    [{ minutes: 0 }, 'above 0 minutes'],
    [{ images: 0.5 }, 'at least 1 image'],
  ])('refuses %j', (options, message) => {
    expect(() => resolveSearchOptions({ data, ...options })).toThrow(InputError);
    expect(() => resolveSearchOptions({ data, ...options })).toThrow(message);
  });
});
