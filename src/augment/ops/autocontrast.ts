import { amountAt, amountParameter } from '../amount.ts';
import { operation } from '../operation.ts';
import type { Histograms } from '../step.ts';
import { channelTable } from '../tables.ts';

/**
 * Stretches each channel so that its least value is 0 and its greatest 255 (Pillow's and torchvision's `autocontrast`, without a cut-off).
 * A channel of a single value stays.
 */
export const autocontrast = operation({
  name: 'autocontrast',
  about: 'Each channel stretched to the full range',
  group: 'colour',
  parameters: { amount: amountParameter },
  probability: 0.5,
  risk: 'recoloured',
  steps: ({ amount }) => [
    { kind: 'point', needs: 'histograms', make: (histograms) => ({ table: stretchTable(histograms, amount) }) },
  ],
  strength: { signed: false, at: (level) => ({ amount: amountAt(level) }) },
});

function stretchTable(histograms: Histograms, amount: number): Uint8Array {
  const bounds = [0, 256, 512].map((channel) => {
    const counts = histograms.subarray(channel, channel + 256);
    return [counts.findIndex((count) => count > 0), counts.findLastIndex((count) => count > 0)] as const;
  });
  return channelTable((value, channel) => {
    const [low, high] = bounds[channel]!;
    if (high <= low || value < low || value > high) return value;
    return value + amount * (((value - low) * 255) / (high - low) - value);
  });
}
