import { describe, expect, it } from 'vitest';
import { InputError } from '../../../src/core/errors.ts';
import { parseThreshold } from '../../../src/recipes/self-training/parse-threshold.ts';
import {
  optionsFromRun,
  recordedOptions,
  resolveSelfTrainOptions,
  type SelfTrainOptions,
} from '../../../src/recipes/self-training/self-train-options.ts';

const data = 'photos';

describe('resolveSelfTrainOptions', () => {
  it('reads again what it recorded, as a resumed run does', () => {
    const resolved = resolveSelfTrainOptions({
      data: '/photos',
      rounds: 2,
      threshold: 'soft',
      epochs: 4,
      dropout: 0.1,
    });
    expect(optionsFromRun(structuredClone({ ...recordedOptions(resolved) }))).toEqual(resolved);
    expect(resolved.train).toMatchObject({ epochs: 4, dropout: 0.1 });
  });

  it.each([
    [{ blend: 0.5 }, '"blend" would have no effect'],
    [{ patience: 3, profile: true }, '"patience", "profile" would have no effect'],
    [{ ronds: 3 }, 'unknown option "ronds"'],
    [{ rounds: 0 }, 'rounds'],
    [{ labels: 'soft', sharpening: 0.5 }, 'sharpened labels alone'],
    [{ firstTeacher: 'probe' }, '--backbone FILE'],
    [{ firstTeacher: 'scratch', backbone: 'b.onnx' }, 'has no backbone'],
    [{ teacher: ['m.onnx'], source: 'propagation' }, 'trained here'],
    [{ student: 'digits', grow: 'digits' }, 'not both'],
    [{ model: 'digits', backbone: 'b.onnx' }, 'not both'],
  ])('refuses %j', (options, message) => {
    const resolve = () => resolveSelfTrainOptions({ data, ...options } as SelfTrainOptions);
    expect(resolve).toThrow(InputError);
    expect(resolve).toThrow(message);
  });
});

describe('parseThreshold', () => {
  it.each([
    ['none', { kind: 'none' }],
    ['soft', { kind: 'soft' }],
    ['free', { kind: 'free' }],
    ['0.95', { kind: 'fixed', value: 0.95 }],
    ['0.9,0.8,1', { kind: 'per-class', values: [0.9, 0.8, 1] }],
    ['flex:0.9', { kind: 'flex', value: 0.9 }],
    ['rank:0.5', { kind: 'rank', share: 0.5 }],
    ['right:0.95', { kind: 'expected-error', right: 0.95 }],
  ])('reads %s', (text, expected) => expect(parseThreshold(text, 3)).toEqual(expected));

  it.each([
    ['often', 'A threshold is one of none'],
    ['1.5', 'lie in 0..1'],
    ['0.5,0.5', '3 classes'],
    ['rank:0.5,0.5,0.5', '3 classes'],
    ['.', 'lie in 0..1'],
  ])('refuses %s', (text, message) => {
    expect(() => parseThreshold(text, 3)).toThrow(InputError);
    expect(() => parseThreshold(text, 3)).toThrow(message);
  });
});
