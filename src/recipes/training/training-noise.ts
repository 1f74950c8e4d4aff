import { withHeadDropout } from '../../models/head-dropout.ts';
import { stochasticAdditions, withStochasticDepth } from '../../models/stochastic-depth.ts';
import type { Graph } from '../../onnx/graph.ts';
import type { Network } from '../networks/network.ts';
import type { ResolvedTrainOptions } from '../train-options.ts';

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

/** What is put where, for a person; undefined where nothing is asked for. @throws InputError as `withNoise` */
export function describeNoise(network: Network, options: NoiseOptions): string | undefined {
  const { dropout = 0, stochasticDepth } = options;
  withNoise(network, options);
  const parts: string[] = [];
  if (dropout > 0) parts.push(`dropout of ${dropout} before the head`);
  if (stochasticDepth > 0) {
    const { length } = stochasticAdditions(network.graph);
    const additions = `${length} residual addition${length === 1 ? '' : 's'}`;
    parts.push(`stochastic depth at ${additions}, the last branch skipped at a rate of ${stochasticDepth}`);
  }
  return parts.length === 0 ? undefined : `Noise in training: ${parts.join('; ')}.`;
}
