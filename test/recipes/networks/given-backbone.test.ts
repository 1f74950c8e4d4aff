import { expect, it } from 'vitest';
import { givenBackbone } from '../../../src/recipes/networks/given-backbone.ts';

it('joins histograms of gradients wherever options ask for them', async () => {
  const [alone, joined] = await Promise.all(
    [false, true].map((gradients) => givenBackbone('builtin:gradients', { gradients }, {})),
  );
  expect(alone!.embedding.width).toBe(392);
  expect(joined!.embedding.width).toBe(2 * 392);
  expect(joined!.model.graph.outputs.map(({ name }) => name)).toEqual([joined!.embedding.value]);
});
