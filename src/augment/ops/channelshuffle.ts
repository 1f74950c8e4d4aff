import { shuffled } from '../../core/random.ts';
import { amountParameter } from '../amount.ts';
import { operation } from '../operation.ts';

/** Exchanges the channels (torchvision's `RandomChannelPermutation`, but never the order that is there). */
export const channelShuffle = operation({
  name: 'channelshuffle',
  about: 'Red, green and blue in one of the five other orders, drawn',
  group: 'colour',
  parameters: { amount: amountParameter },
  probability: 0.5,
  risk: 'recoloured',
  steps: ({ amount }, { stream }) => {
    let order = [0, 1, 2];
    while (order.every((from, to) => from === to)) order = shuffled(order, stream);
    const matrix = new Float64Array(12);
    for (const [to, from] of order.entries()) {
      matrix[to * 5] = 1 - amount;
      matrix[to * 4 + from]! += amount;
    }
    return [{ kind: 'point', needs: 'nothing', make: () => ({ matrix }) }];
  },
  strength: { signed: false, at: (level) => ({ amount: level }) },
});
