import { describe, expect, test } from 'vitest';
import { fromNumbers, tensor, type Tensor } from '../../src/core/tensor.ts';
import { loadWeights } from '../../src/models/load-weights.ts';
import { buildModel } from '../../src/models/registry.ts';
import { formulaWeights } from './formula-weights.ts';

const model = buildModel('cifar_resnet8', { classes: 10, seed: 0 });
const weights = (): Map<string, Tensor> => formulaWeights(model.graph);

describe('loadWeights', () => {
  test('puts every tensor in its place and leaves the model given as it was', () => {
    const before = model.graph.initializers.get('conv1.weight');
    const given = weights();
    const loaded = loadWeights(model, given.set('conv1.num_batches_tracked', fromNumbers('int64', [], [3])));
    expect(loaded).toMatchObject({ missing: [], unexpected: [], replacedHead: [] });
    expect(loaded.model.graph.initializers.get('conv1.weight')!.data).toEqual(given.get('conv1.weight')!.data);
    expect(model.graph.initializers.get('conv1.weight')).toBe(before);
    expect(loaded.model.name).toBe('cifar_resnet8');
  });

  test('keeps the classifier where the file has other classes', () => {
    const own = buildModel('cifar_resnet8', { classes: 3, seed: 0 });
    const loaded = loadWeights(own, weights());
    expect(loaded.replacedHead).toEqual(['fc.weight', 'fc.bias']);
    expect(loaded.model.graph.initializers.get('fc.weight')).toBe(own.graph.initializers.get('fc.weight'));
  });

  test('lists what is missing, unexpected or of a wrong shape', () => {
    const short = weights();
    short.delete('bn1.running_mean');
    short.set('extra', fromNumbers('float32', [1], [0]));
    expect(() => loadWeights(model, short, { source: 'a.safetensors' })).toThrow(
      /a.safetensors lack 1 .*bn1.running_mean/,
    );
    expect(loadWeights(model, short, { allowMissing: true })).toMatchObject({
      missing: ['bn1.running_mean'],
      unexpected: ['extra'],
    });
    const wrong = weights().set('bn1.weight', fromNumbers('float32', [2], [0, 0]));
    expect(() => loadWeights(model, wrong)).toThrow('bn1.weight is [2], expected [16]');
  });

  test('reads half and double precision, and [O, I] for a 1x1 convolution', () => {
    const given = weights();
    given.set(
      'bn1.weight',
      fromNumbers(
        'float16',
        [16],
        Array.from({ length: 16 }, (_, i) => i / 4),
      ),
    );
    given.set(
      'bn1.bias',
      fromNumbers(
        'float64',
        [16],
        Array.from({ length: 16 }, (_, i) => i / 3),
      ),
    );
    const projection = given.get('layer2.0.downsample.0.weight')!;
    given.set('layer2.0.downsample.0.weight', tensor('float32', [32, 16], projection.data));
    const { initializers } = loadWeights(model, given).model.graph;
    expect(initializers.get('bn1.weight')).toMatchObject({
      dtype: 'float32',
      data: Float32Array.from({ length: 16 }, (_, i) => i / 4),
    });
    expect(initializers.get('bn1.bias')!.data).toEqual(Float32Array.from({ length: 16 }, (_, i) => i / 3));
    expect(initializers.get('layer2.0.downsample.0.weight')!.shape).toEqual([32, 16, 1, 1]);
  });

  test('refuses integers as weights', () => {
    const given = weights().set(
      'fc.bias',
      fromNumbers(
        'int64',
        [10],
        Array.from({ length: 10 }, () => 1),
      ),
    );
    expect(() => loadWeights(model, given)).toThrow('"fc.bias" must be floating point, got int64');
  });
});
