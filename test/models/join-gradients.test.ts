import { expect, it } from 'vitest';
import { trainableParameters } from '../../src/autodiff/parameters.ts';
import { randomStream } from '../../src/core/random.ts';
import { float32 } from '../../src/core/tensor.ts';
import { findEmbedding } from '../../src/models/embedding.ts';
import { gradientDescriptor } from '../../src/models/gradient-descriptor.ts';
import { featureExtractor } from '../../src/models/head.ts';
import { withGradients } from '../../src/models/join-gradients.ts';
import { buildModel } from '../../src/models/registry.ts';
import { runGraph } from './run-graph.ts';

const SIDE = 28;
const MEAN: [number, number, number] = [123.7, 116.3, 103.5];
const STD: [number, number, number] = [58.4, 57.1, 57.4];

// At the descriptor's own side nothing is resized.
it.each(['rgb', 'bgr'] as const)(
  'a network keeps its features, and has those of gradients behind them: %s',
  async (channels) => {
    const stream = randomStream('joined');
    const size = SIDE * SIDE;
    const colours = Array.from({ length: 3 * size }, () => stream.uniform());
    const order = channels === 'rgb' ? [0, 1, 2] : [2, 1, 0];
    const prepared = order.flatMap((colour, place) =>
      colours.slice(colour * size, (colour + 1) * size).map((v) => (255 * v - MEAN[place]!) / STD[place]!),
    );
    const { graph } = buildModel('digits_16', { inputSize: SIDE, classes: 3, seed: 1 });
    const found = findEmbedding(graph);
    const joined = withGradients(graph, found, { mean: MEAN, std: STD, channels, layout: 'nchw' });
    expect(joined.embedding.width).toBe(found.width + 392);

    const image = float32(prepared, [1, 3, SIDE, SIDE]);
    const all = Array.from((await runGraph(joined.graph, image))[joined.embedding.value]!.data as Float32Array);
    const extractor = featureExtractor(graph, found);
    const own = Array.from((await runGraph(extractor.graph, image))[extractor.embedding]!.data as Float32Array);
    const gradients = await runGraph(gradientDescriptor(SIDE).graph, float32(colours, [1, 3, SIDE, SIDE]));
    expect(all.slice(0, found.width)).toEqual(own);
    const behind = Array.from(gradients['embedding']!.data as Float32Array);
    expect(Math.max(...behind.map((v, i) => Math.abs(v - all[found.width + i]!)))).toBeLessThan(1e-4);
  },
);

it('trains what the network trains by itself, and nothing of the histograms', () => {
  const { graph } = buildModel('digits_16', { inputSize: SIDE, classes: 3, seed: 1 });
  const found = findEmbedding(graph);
  const joined = withGradients(graph, found, { mean: MEAN, std: STD, channels: 'rgb', layout: 'nchw' });
  const extractor = featureExtractor(graph, found);
  expect(trainableParameters(joined.graph, joined.embedding.value)).toEqual(
    trainableParameters(extractor.graph, extractor.embedding),
  );
});
