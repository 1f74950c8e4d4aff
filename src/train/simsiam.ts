import { float32Scalar, type Tensor } from '../core/tensor.ts';
import { negativeCosine } from '../losses/negative-cosine.ts';
import { unitVectors } from '../losses/unit-vectors.ts';
import type { GraphBuilder } from '../onnx/builder.ts';
import type { Objective, ObjectiveGraph, ObjectiveValues } from './objective.ts';

/** Two views of an image predict each other; labels play no part. */
export interface SimSiamLoss {
  readonly name: 'simsiam';
  /** Output of the network that the prediction is held against; the prediction stands for the logits. */
  readonly projection: string;
}

const VIEWS = 2;

/**
 * SimSiam (Chen and He 2021, arXiv:2011.10566), algorithm 1: L = D(p1, z2) / 2 + D(p2, z1) / 2, D the negative cosine, no
 * gradient through z. The metric `spread` is the deviation of z / |z| over the batch, mean over its D components, times √D: about
 * 1 where directions differ, 0 where all images have one and training has collapsed (section 4.1).
 */
export function simSiam({ projection }: SimSiamLoss): Objective {
  return {
    rows: VIEWS,
    outputs: [projection],
    targets: new Map(),
    state: new Map(),
    divisor: (labels: Tensor): number => labels.shape[0]!,
    add(b: GraphBuilder, { logits, outputs, scale }: ObjectiveValues): ObjectiveGraph {
      const z = b.op('Identity', [outputs.get(projection)!], {}, { name: 'projection_as_constant' });
      const [p1, p2] = views(b, logits);
      const [z1, z2] = views(b, z);
      const sum = b.op('Add', [negativeCosine(b, p1, z2, 'sum'), negativeCosine(b, p2, z1, 'sum')]);
      const half = b.op('Mul', [sum, b.constant(float32Scalar(0.5))]);
      return {
        loss: b.op('Mul', [half, scale], {}, { name: 'loss' }),
        constants: [z],
        metrics: new Map([['spread', spread(b, z)]]),
      };
    },
  };
}

/** The rows of either view, [N, D] each, of [2 N, D] with the views of an image together. */
function views(b: GraphBuilder, rows: string): [string, string] {
  const [count, width] = b.shape(rows) as [number, number];
  const pairs = b.op('Reshape', [rows, b.int([count / VIEWS, VIEWS, width])]);
  return [0, 1].map((i) => b.op('Gather', [pairs, b.int(i)], { axis: 1 })) as [string, string];
}

function spread(b: GraphBuilder, z: string): string {
  const [, width] = b.shape(z) as [number, number];
  const directions = unitVectors(b, z, 1);
  const centred = b.op('Sub', [directions, b.op('ReduceMean', [directions, b.int([0])], { keepdims: 1 })]);
  const variances = b.op('ReduceMean', [b.op('Mul', [centred, centred]), b.int([0])], { keepdims: 0 });
  const deviation = b.op('ReduceMean', [b.op('Sqrt', [variances]), b.int([0])], { keepdims: 0 });
  return b.op('Mul', [deviation, b.constant(float32Scalar(Math.sqrt(width)))]);
}
