import { amountAt, amountParameter } from '../amount.ts';
import { operation } from '../operation.ts';
import type { Histograms } from '../step.ts';
import { blendedTable } from '../tables.ts';

/** Spreads the values of each channel so that all are equally frequent (Pillow's and torchvision's `equalize`). */
export const equalize = operation({
  name: 'equalize',
  about: 'The values of each channel spread so that all are about equally frequent',
  group: 'colour',
  parameters: { amount: amountParameter },
  probability: 0.5,
  risk: 'recoloured',
  steps: ({ amount }) => [
    {
      kind: 'point',
      needs: 'histograms',
      make: (histograms) => ({ table: blendedTable(equalizeTable(histograms), amount) }),
    },
  ],
  strength: { signed: false, at: (level) => ({ amount: amountAt(level) }) },
});

/** In whole numbers, as Pillow has it: exactly its result. */
function equalizeTable(histograms: Histograms): Uint8Array {
  const table = new Uint8Array(768);
  for (let channel = 0; channel < 768; channel += 256) {
    const counts = histograms.subarray(channel, channel + 256);
    const last = counts.findLastIndex((count) => count > 0);
    const step = Math.floor(counts.reduce((sum, count, value) => sum + (value === last ? 0 : count), 0) / 255);
    for (let value = 0, sum = step >> 1; value < 256; sum += counts[value]!, value++)
      table[channel + value] = step === 0 ? value : Math.min(255, Math.floor(sum / step));
  }
  return table;
}
