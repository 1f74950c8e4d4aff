import { describe, expect, it } from 'vitest';
import { InputError } from '../../../src/core/errors.ts';
import { resolveDistillOptions } from '../../../src/recipes/distillation/distill-options.ts';

const given = { data: 'photos', teacher: ['t.onnx'] };

describe('options of distill', () => {
  it('are those of training and its own, without smoothing of labels', () => {
    const { train, teaching } = resolveDistillOptions({ ...given, student: 'digits', epochs: 3 });
    expect(train).toMatchObject({ data: 'photos', model: 'digits', epochs: 3, labelSmoothing: 0 });
    expect(teaching).toMatchObject({ teacher: ['t.onnx'], loss: 'kd', hard: false, teacherOnce: false });
    expect(resolveDistillOptions({ ...given, labelSmoothing: 0.1 }).train.labelSmoothing).toBe(0.1);
  });

  it.each([
    [{ temprature: 2 }, /unknown option "temprature".*"temperature"/],
    [{ epoch: 2 }, /unknown option "epoch".*"epochs"/],
    [{ temperature: 0 }, /temperature/],
    [{ alpha: -0.1 }, /alpha/],
    [{ alpha: 1.1 }, /alpha/],
    [{ teacher: [] }, /teacher/],
    [{ model: 'digits' }, /it is called "student"/],
    [{ method: 'probe' }, /"method" is no option/],
    [{ student: 'digits', backbone: 'b.onnx' }, /not both/],
    [{ student: 'digits', gradients: true }, /a built-in student has none/],
    [{ hard: true, temperature: 2 }, /no temperature/],
    [{ loss: 'none' }, /features must be compared/],
    [{ loss: 'none', features: 'hint', alpha: 0.5 }, /no effect with the loss "none"/],
    [{ featureWeight: 2 }, /no effect without "features"/],
    [{ features: 'rkd', teacher: ['a', 'b'] }, /one teacher, got 2/],
    [{ searchTemperature: true, temperature: 2 }, /finds the temperature/],
    [{ teacherOnce: true, augment: 'randomresizedcrop|cutmix(1)' }, /mixes them/],
    [{ teacher: ['ema', 'a.onnx'] }, /no others beside it, got 2/],
    [{ teacher: ['ema'], map: 'm.csv' }, /"map" has no place/],
    [{ teacher: ['ema'], features: 'hint' }, /answers alone are compared/],
    [{ teacher: ['ema'], alpha: 1 }, /count for nothing/],
    [{ teacherInput: { side: 32 } }, /teacherInput/],
  ])('refuse %j', (changes, message) => {
    expect(() => resolveDistillOptions({ ...given, ...changes })).toThrow(message);
    expect(() => resolveDistillOptions({ ...given, ...changes })).toThrow(InputError);
  });
});
