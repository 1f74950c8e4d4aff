import { describe, expect, it } from 'vitest';
import { InputError } from '../../src/core/errors.ts';
import { resolveTrainOptions, type TrainOptions } from '../../src/recipes/train-options.ts';

const resolve = (options: Omit<TrainOptions, 'data'>) => resolveTrainOptions({ data: 'photos', ...options });

describe('consistency of views', () => {
  it('is taken with a policy that has augmix, wherever it stands', () => {
    expect(resolve({ augment: 'randomresizedcrop|flip|augmix', consistency: 12 }).consistency).toBe(12);
    expect(resolve({ augment: 'randomresizedcrop|oneof(augmix,invert)', consistency: 0.5 }).consistency).toBe(0.5);
    expect(resolve({ augment: 'augmix' }).consistency).toBeUndefined();
  });

  it.each([
    [{ consistency: 12 }, 'must have: for instance'],
    [{ consistency: 12, augment: 'randomresizedcrop|trivialaugment' }, 'must have: for instance'],
    [{ consistency: 12, augment: 'randomresizedcrop|augmix|cutmix(1)' }, 'mixes several'],
    [{ consistency: 12, augment: 'augmix', method: 'probe' }, '"consistency" has no effect with method "probe"'],
    [{ consistency: 0, augment: 'augmix' }, 'consistency: '],
    [{ consistency: -1, augment: 'augmix' }, 'consistency: '],
    [{ consistency: Number.POSITIVE_INFINITY, augment: 'augmix' }, 'consistency: '],
  ] as const)('is refused: %j', (options, message) => {
    expect(() => resolve(options)).toThrow(InputError);
    expect(() => resolve(options)).toThrow(message);
  });
});
