import { describe, expect, it } from 'vitest';
import { InputError } from '../../../src/core/errors.ts';
import { sizeOf } from '../../../src/core/tensor.ts';
import { buildModel, growingFamilies } from '../../../src/models/registry.ts';
import { networksOfRounds } from '../../../src/recipes/self-training/growth.ts';

describe('families that grow', () => {
  // Depths, widths and sides are in the tests of architectures; of the large ones, the names suffice.
  const small = growingFamilies.map((names) =>
    names.filter((name) => !/28_10|lite[34]|nano|tiny_|_small_patch|convnext_tiny|110|resnet(34|50)$/.test(name)),
  );
  it.each(small.filter((names) => names.length > 1))('by parameters: %s, ...', (...names) => {
    const counts = names.map((name) => {
      const { graph, parameters } = buildModel(name, { classes: 10 });
      return parameters.reduce((sum, parameter) => sum + sizeOf(graph.initializers.get(parameter)!.shape), 0);
    });
    expect(counts).toEqual(counts.toSorted((a, b) => a - b));
    expect(new Set(counts).size).toBe(counts.length);
  });
});

describe('networksOfRounds', () => {
  it('goes through a list, with sides, and stays at its end', () => {
    expect(networksOfRounds('cifar_resnet20@40, nets/v2.onnx@160,hf:timm/vit.in1k@main,https://a.b/c.onnx', 5)).toEqual(
      [
        { model: 'cifar_resnet20', inputSize: 40 },
        { backbone: 'nets/v2.onnx', inputSize: 160 },
        { backbone: 'hf:timm/vit.in1k@main' },
        { backbone: 'https://a.b/c.onnx' },
        { backbone: 'https://a.b/c.onnx' },
      ],
    );
    expect(networksOfRounds('cifar_resnet8@24,cifar_resnet8@32', 2)).toEqual([
      { model: 'cifar_resnet8', inputSize: 24 },
      { model: 'cifar_resnet8', inputSize: 32 },
    ]);
  });

  it('goes up the family of a single network', () => {
    const models = (grow: string, rounds: number) => networksOfRounds(grow, rounds).map(({ model }) => model);
    expect(models('cifar_resnet8', 4)).toEqual(['cifar_resnet8', 'cifar_resnet20', 'cifar_resnet32', 'cifar_resnet56']);
    expect(models('mobilenetv2_100', 3)).toEqual(['mobilenetv2_100', 'mobilenetv2_140', 'mobilenetv2_140']);
    expect(networksOfRounds('digits@32', 2)).toEqual([
      { model: 'digits', inputSize: 32 },
      { model: 'digits_48', inputSize: 32 },
    ]);
  });

  it.each([
    ['cifar_resnt20,digits', 2, 'no network "cifar_resnt20" (did you mean "cifar_resnet20"?)'],
    ['digits,', 2, 'no network ""'],
    ['digits,cifar_resnet8,cifar_resnet20', 2, '3 networks'],
    ['backbone.onnx', 2, '"backbone.onnx" alone'],
    ['resnet18_3x3', 2, '"resnet18_3x3" alone'],
  ])('refuses %s in %i rounds', (grow, rounds, message) => {
    expect(() => networksOfRounds(grow, rounds)).toThrow(InputError);
    expect(() => networksOfRounds(grow, rounds)).toThrow(message);
  });

  it('needs a round', () => {
    expect(() => networksOfRounds('digits', 0)).toThrow(RangeError);
  });
});
