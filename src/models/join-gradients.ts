import { GraphBuilder } from '../onnx/builder.ts';
import { float32 } from '../core/tensor.ts';
import type { Graph } from '../onnx/graph.ts';
import type { Embedding } from './embedding.ts';
import { addGradients, GRADIENT_DESCRIPTOR_SIDE, GRADIENT_FEATURES } from './gradient-descriptor.ts';
import { featureExtractor } from './head.ts';
import type { Preprocessing } from './preprocessing.ts';

/**
 * By `clothing`, EfficientNet-Lite0 and MobileNetV2, 10 and 50 labels a class and 100 at random: from 0.3 to 0.7 it makes little
 * difference, and what the backbone's features lose by it is nothing.
 */
const GRADIENTS_WEIGHT = 0.5;

/**
 * A network whose features are joined with the histograms of oriented gradients of the image that it sees: where things
 * are, which the mean over a photo forgets. Features [N, D] become [N, D + 392].
 * @param graph of one image input, prepared as `preprocessing` says
 */
export function withGradients(
  graph: Graph,
  embedding: Embedding,
  { mean, std, channels, layout }: Pick<Preprocessing, 'mean' | 'std' | 'channels' | 'layout'>,
): { readonly graph: Graph; readonly embedding: Embedding } {
  const extractor = featureExtractor(graph, embedding);
  const b = GraphBuilder.from(extractor.graph, { outputs: false });
  const input = extractor.graph.inputs[0]!.name;
  const planes = layout === 'nhwc' ? b.op('Transpose', [input], { perm: [0, 3, 1, 2] }) : input;
  const perChannel = (values: readonly number[]): string =>
    b.constant(
      float32(
        values.map((value) => value / 255),
        [1, 3, 1, 1],
      ),
    );
  const ofCamera = b.op('Add', [b.op('Mul', [planes, perChannel(std)]), perChannel(mean)], {}, { name: 'unscaled' });
  const image = channels === 'bgr' ? b.op('Gather', [ofCamera, b.int([2, 1, 0])], { axis: 1 }) : ofCamera;
  const side = GRADIENT_DESCRIPTOR_SIDE;
  // By its size, not by a factor: the network may be trained at another side than it ends with.
  const batch = b.op('Slice', [b.op('Shape', [image]), b.int([0]), b.int([1])]);
  const size = b.op('Concat', [batch, b.int([3, side, side])], { axis: 0 });
  const small = b.op('Resize', [image, '', '', size], { mode: 'linear', antialias: 1 }, { name: 'shrunk' });
  const known = b.op('Reshape', [small, b.int([-1, 3, side, side])], {}, { name: 'image_of_gradients' });
  const joined = b.op('Concat', [extractor.embedding, addGradients(b, known, side)], { axis: 1 }, { name: 'joined' });
  b.output(joined);
  const width = embedding.width + GRADIENT_FEATURES;
  const parts = [
    { width: embedding.width, weight: 1 },
    { width: GRADIENT_FEATURES, weight: GRADIENTS_WEIGHT },
  ];
  return { graph: b.build(), embedding: { value: joined, pooling: 'none', width, parts } };
}
