import { withHeadDropout } from '../models/head-dropout.ts';
import { stochasticAdditions, withStochasticDepth } from '../models/stochastic-depth.ts';
import type { Graph } from '../onnx/graph.ts';
import type { Network } from './network.ts';
import type { ResolvedTrainOptions } from './train-options.ts';

type NoiseOptions = Pick<ResolvedTrainOptions, 'dropout' | 'stochasticDepth'>;

/**
 * The network as its training step sees it, with the noise asked for. All else (labelling, validation, export) runs the
 * network itself, in which there is none.
 * @throws InputError where there is nothing to put it on.
 */
export function withNoise({ graph, logits }: Network, { dropout, stochasticDepth }: NoiseOptions): Graph {
  const deep = withStochasticDepth(graph, stochasticDepth);
  return dropout === undefined ? deep : withHeadDropout(deep, logits, dropout);
}

/** What is put where, for a person; undefined without stochastic depth. @throws InputError as `withNoise` */
export function describeNoise({ graph }: Network, { stochasticDepth }: NoiseOptions): string | undefined {
  if (stochasticDepth === 0) return undefined;
  const { length } = stochasticAdditions(graph);
  return `Noise in training: stochastic depth at ${length} residual addition${length === 1 ? '' : 's'}, the last branch skipped at a rate of ${stochasticDepth}.`;
}
