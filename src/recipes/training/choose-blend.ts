import { fitTemperature } from '../../evaluate/temperature.ts';
import { blendWeights } from '../../train/blend.ts';
import { withWeights } from '../../train/weights.ts';
import type { HeldOutPredictions } from '../results/held-out-predictions.ts';
import type { Network } from '../networks/network.ts';

/** A network and what it was before training. */
export interface TrainedPair {
  readonly start: Network;
  readonly trained: Network;
}

/** Weights between both ends, see `blendWeights`. */
export function blended({ start, trained }: TrainedPair, share: number): Network {
  if (share === 1) return trained;
  const weights = blendWeights(start.graph.initializers, trainedWeights(start, trained), share);
  return { ...trained, graph: withWeights(trained.graph, weights) };
}

/**
 * The share whose predictions on images that were not trained on are likeliest, each at its own best temperature
 * (training makes a network surer of itself, which calibration takes back). Of equals, the one nearest to the start.
 */
export function likeliestShare(
  shares: readonly number[],
  predictions: readonly HeldOutPredictions[],
): { readonly share: number; readonly predictions: HeldOutPredictions; readonly nll: readonly number[] } {
  const nll = predictions.map((held) => fitTemperature(held).nllAfter);
  const best = nll.indexOf(Math.min(...nll));
  return { share: shares[best]!, predictions: predictions[best]!, nll };
}

/** What training changed. */
function trainedWeights(start: Network, trained: Network) {
  return new Map(
    [...trained.graph.initializers].filter(([name, value]) => start.graph.initializers.get(name) !== value),
  );
}
