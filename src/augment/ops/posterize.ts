import { operation } from '../operation.ts';
import { sameTable } from '../tables.ts';

/**
 * Keeps the highest bits of each value (Pillow's and torchvision's `posterize`). Between whole numbers of bits it blends the two, so
 * that each further share of a bit shows.
 */
export const posterize = operation({
  name: 'posterize',
  about: 'Fewer shades: only the highest bits of each value',
  group: 'colour',
  parameters: {
    bits: { kind: 'range', about: 'bits', min: 1, max: 8, identity: 8, single: 'exactly', default: [4, 4] },
  },
  probability: 0.5,
  steps: ({ bits }) => [{ kind: 'point', needs: 'nothing', make: () => ({ table: posterizeTable(bits) }) }],
  // torchvision's RandAugment: 4 bits at the strongest.
  strength: { signed: false, at: (level) => ({ bits: 8 - 4 * level }) },
});

function posterizeTable(bits: number): Uint8Array {
  const fewer = Math.floor(bits);
  const share = bits - fewer;
  const kept = (value: number, count: number): number => value & (0xff00 >> count);
  return sameTable((value) => (1 - share) * kept(value, fewer) + share * kept(value, fewer + 1));
}
