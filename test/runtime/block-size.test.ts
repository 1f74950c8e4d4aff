import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { blockOfRamp, blockSize } from '../../src/runtime/block-size.ts';
import { Engine } from '../../src/runtime/engine.ts';
import { processor } from '../../src/runtime/processor.ts';

/** The ramp [64 channels, 2 pixels] in blocks of `block`, by the definition of the layout. */
function reordered(block: number): number[] {
  const values: number[] = [];
  for (let outer = 0; outer < 64 / block; outer++)
    for (let pixel = 0; pixel < 2; pixel++)
      for (let inner = 0; inner < block; inner++) values.push((outer * block + inner) * 2 + pixel);
  return values;
}

test('the block is read off a reordered ramp', () => {
  for (const block of [4, 8, 16, 32]) expect(blockOfRamp(reordered(block))).toBe(block);
  const ramp = Array.from({ length: 128 }, (_, i) => i);
  expect(blockOfRamp(ramp)).toBe(1);
  expect(blockOfRamp(reordered(8).toReversed())).toBe(1);
  expect(blockOfRamp(reordered(8).slice(0, 64))).toBe(1);
  expect(blockOfRamp([])).toBe(1);
});

test.skipIf(process.platform !== 'linux' || process.arch !== 'x64')(
  'the engine says what its processor suggests',
  async () => {
    await using engine = await Engine.start({ device: 'cpu' });
    const { features } = processor();
    const expected = features.includes('avx512f') ? 16 : 8;
    expect(await blockSize(engine)).toBe(expected);
    expect(await blockSize(engine)).toBe(expected);
  },
);

test.skipIf(!existsSync('/proc/cpuinfo'))('the processor is described as the system does', () => {
  const { model, features } = processor();
  const text = readFileSync('/proc/cpuinfo', 'utf8');
  if (text.includes('model name')) expect(text).toContain(model);
  for (const feature of features) expect(text).toMatch(new RegExp(`\\b${feature}\\b`));
});
