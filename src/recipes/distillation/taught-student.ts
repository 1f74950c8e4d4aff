import { ModelError } from '../../core/errors.ts';
import { mapsBefore } from '../../models/class-activation.ts';
import { findEmbedding } from '../../models/embedding.ts';
import { initialise, lecun, normal, zero } from '../../models/initialise.ts';
import { GraphBuilder } from '../../onnx/builder.ts';
import type { DistillationLoss } from '../../train/distillation-objective.ts';
import type { Network } from '../networks/network.ts';

/** Names under which a student gives what is compared, as `DistillationLoss` refers to them. */
export const COMPARED = { head: 'distillation_head', features: 'distillation_features' } as const;

/**
 * A student with what its lesson needs beside its logits: a second head on its embedding, as wide as the teacher's answer; its
 * embedding, projected to the teacher's width where both are compared feature by feature; or its last maps. The new parameters
 * are trained, and gone from what is exported: nothing that leads to the logits reads them.
 * @throws ModelError where the student has no such features
 */
export function taughtStudent(network: Network, { taught, features }: DistillationLoss, seed: number): Network {
  if (taught.head === undefined && features === undefined) return network;
  const b = GraphBuilder.from(network.graph);
  const { value, pooling, width } = findEmbedding(network.graph, { logits: network.logits });
  if (pooling !== 'none')
    throw new ModelError(`The features of the student, "${value}", must be [N, D] to be compared with a teacher's.`);
  const added: string[] = [];
  const parameter = (name: string, shape: readonly number[], how: Parameters<typeof initialise>[2]): string => {
    const free = b.uniqueName(`distillation.${name}`);
    added.push(free);
    return b.initializer(free, initialise(`distillation.${name}`, shape, how, seed));
  };
  if (taught.head !== undefined) {
    const weight = parameter('head.weight', [taught.width, width], normal(0.01));
    const bias = parameter('head.bias', [taught.width], zero);
    b.output(b.op('Gemm', [value, weight, bias], { transB: 1 }, { outputs: [taught.head] }));
  }
  if (features !== undefined) {
    const [to] = features.shape as [number];
    const { loss, output } = features;
    if (loss === 'attention') b.output(mapsOf(network, value), output);
    else if (loss === 'rkd') b.output(value, output);
    // A matrix [D, D'] has its fan-in first.
    else b.output(b.op('MatMul', [value, projection(parameter, width, to)], {}, { outputs: [output] }));
  }
  return { ...network, graph: b.build(), head: network.head.length === 0 ? [] : [...network.head, ...added] };
}

function projection(
  parameter: (name: string, shape: readonly number[], how: typeof lecun) => string,
  from: number,
  to: number,
): string {
  return parameter('projection', [from, to], (_, stream) => lecun([to, from], stream));
}

function mapsOf({ graph }: Network, embedding: string): string {
  const maps = mapsBefore(embedding, graph);
  if (maps === undefined)
    throw new ModelError(
      `Attention is compared on the last maps before their mean, and the student's features "${embedding}" are no such mean.`,
    );
  return maps;
}
