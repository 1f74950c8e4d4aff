import { tensor } from '../core/tensor.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { float, type Graph } from '../onnx/graph.ts';
import { initialise, one, uniformFanIn, zero, type Initialiser } from './initialise.ts';

export interface SiameseGraph {
  /** Further outputs: `projection` z [N, D] and `prediction` p [N, D]. */
  readonly graph: Graph;
  /** Names of values. */
  readonly projection: string;
  readonly prediction: string;
  /** Parameters of the predictor, whose learning rate may differ. */
  readonly predictor: readonly string[];
}

/**
 * Adds what SimSiam trains on a feature extractor and throws away after: a projector of three linear layers, each with
 * batch norm, the first two with ReLU, and a predictor of two that narrows to a quarter between them. Chen and He 2021
 * (arXiv:2011.10566), section 3; there D is 2048.
 * @param embedding value [N, C] of the graph
 * @param width D
 */
export function withSiameseHeads(graph: Graph, embedding: string, width: number, seed: number): SiameseGraph {
  const b = GraphBuilder.from(graph);
  const added: string[] = [];
  const parameter = (name: string, shape: readonly number[], init: Initialiser): string => {
    added.push(name);
    return b.initializer(name, initialise(name, shape, init, seed));
  };
  const linear = (name: string, x: string, out: number): string => {
    const weight = parameter(`${name}.weight`, [out, b.type(x).shape![1] as number], uniformFanIn);
    return b.op('Gemm', [x, weight, parameter(`${name}.bias`, [out], zero)], { transB: 1 }, { name });
  };
  const batchNorm = (name: string, x: string): string => {
    const size = [b.type(x).shape![1] as number];
    const statistic = (what: string, value: number): string =>
      b.initializer(`${name}.${what}`, tensor('float32', size, new Float32Array(size[0]!).fill(value)));
    const inputs = [
      x,
      parameter(`${name}.weight`, size, one),
      parameter(`${name}.bias`, size, zero),
      statistic('running_mean', 0),
      statistic('running_var', 1),
    ];
    return b.op('BatchNormalization', inputs, { epsilon: float(1e-5) }, { name });
  };
  const hidden = (name: string, x: string, out: number): string =>
    b.op('Relu', [batchNorm(`${name}.bn`, linear(name, x, out))], {}, { name: `${name}.relu` });

  let z = hidden('projector.0', embedding, width);
  z = hidden('projector.1', z, width);
  z = b.op('Identity', [batchNorm('projector.2.bn', linear('projector.2', z, width))], {}, { outputs: ['projection'] });
  const own = added.length;
  const p = linear('predictor.1', hidden('predictor.0', z, Math.max(8, Math.round(width / 4))), width);
  const prediction = b.op('Identity', [p], {}, { outputs: ['prediction'] });
  b.output(z);
  b.output(prediction);
  return { graph: b.build(), projection: z, prediction, predictor: added.slice(own) };
}
