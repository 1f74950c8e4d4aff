import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ModelError } from '../../src/core/errors.ts';
import { float32 } from '../../src/core/tensor.ts';
import { deployableModel } from '../../src/export/deployable.ts';
import { proveParity } from '../../src/export/parity.ts';
import { withInitializers } from '../../src/onnx/compose.ts';
import { Engine } from '../../src/runtime/engine.ts';
import { photo, smallNetwork, smallParts } from './small-network.ts';

describe('proveParity', () => {
  const images = [photo(61, 47, 1), photo(30, 90, 2), photo(16, 16, 3)];
  let engine: Engine;
  beforeAll(async () => {
    engine = await Engine.start({ device: 'cpu' });
  });
  afterAll(() => engine.dispose());

  it('passes for the file that was made of the same parts, on cuts of odd sides too', async () => {
    const parts = smallParts();
    const report = await proveParity(engine, deployableModel(parts).bytes, parts, images);
    expect(report.images).toBe(4 * images.length);
    expect(report.maxDifference).toBeLessThan(1e-6);
  });

  it.each([
    ['temperature', { temperature: 1.71 }],
    ['interpolation', { preprocessing: { ...smallParts().preprocessing, interpolation: 'bilinear' as const } }],
    ['mean', { preprocessing: { ...smallParts().preprocessing, mean: [121, 110, 100] as const } }],
    ['channels', { preprocessing: { ...smallParts().preprocessing, channels: 'bgr' as const } }],
    ['crop', { preprocessing: { ...smallParts().preprocessing, cropFraction: 0.9 } }],
    ['weights', { graph: withInitializers(smallNetwork(), new Map([['head.bias', float32([0.1, 0, 0])]])) }],
    ['a NaN', { graph: withInitializers(smallNetwork(), new Map([['head.bias', float32([Number.NaN, 0, 0])]])) }],
  ])('refuses a file with another %s', async (_, changes) => {
    const file = deployableModel(smallParts(changes)).bytes;
    await expect(proveParity(engine, file, smallParts(), images)).rejects.toThrow(ModelError);
    await expect(proveParity(engine, file, smallParts(), images)).rejects.toThrow(/does not give what evaluation gave/);
  });

  it('proves the outlier score, and refuses another', async () => {
    const outliersOf = (bias: number) => ({
      scorer: { weight: Float32Array.from({ length: 8 }, (_, i) => Math.cos(i)), bias: Float32Array.of(bias) },
      embedding: 'embedding',
    });
    const parts = smallParts({ outliers: outliersOf(0.5) });
    const report = await proveParity(engine, deployableModel(parts).bytes, parts, images);
    expect(report.maxOutlierDifference).toBeLessThan(1e-6);
    const other = deployableModel(smallParts({ outliers: outliersOf(0.501) })).bytes;
    await expect(proveParity(engine, other, parts, images)).rejects.toThrow(/the outlier score of an image/);
  });

  it('needs images', async () => {
    await expect(proveParity(engine, deployableModel(smallParts()).bytes, smallParts(), [])).rejects.toThrow(
      RangeError,
    );
  });
});
