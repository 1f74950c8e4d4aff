import { attribute, float, GRADIENT_DOMAIN, type Graph, type Node } from '../onnx/graph.ts';
import type { OpContext } from './rule.ts';

/** The rewritings of a BatchNormalization (inputs X, scale, bias, mean, variance) that `prepare` chooses from. */

/** The Conv whose output only this normalisation reads, if there is one. */
export function foldableConvolution(
  graph: Graph,
  node: Node,
  readers: ReadonlyMap<string, readonly Node[]>,
  graphOutputs: ReadonlySet<string>,
): Node | undefined {
  const x = node.inputs[0]!;
  const conv = graph.nodes.find((candidate) => candidate.outputs[0] === x);
  if (conv?.opType !== 'Conv' || conv.domain !== '') return undefined;
  return readers.get(x)?.length === 1 && !graphOutputs.has(x) ? conv : undefined;
}

/** The convolution with the normalisation inside: y = x * (W s) + ((b - mean) s + bias). */
export function foldedConvolution(c: OpContext, conv: Node): string[] {
  const weight = conv.inputs[1]!;
  const s = inverseScale(c);
  const perFilter = c.shape(weight).map((side, axis) => (axis === 0 ? side : 1));
  const bias = conv.inputs[2];
  const [shift, mean] = [c.input(2), c.input(3)];
  const moved = bias ? c.add(shift, c.mul(c.sub(bias, mean), s)) : c.sub(shift, c.mul(mean, s));
  const folded = c.builder.ops(
    'Conv',
    [conv.inputs[0]!, c.mul(weight, c.reshape(s, perFilter)), moved],
    conv.attributes,
    {
      name: `${conv.name}/folded`,
    },
  );
  return [folded[0]!];
}

/** y = x s + (bias - mean s). */
export function scaledAndShifted(c: OpContext): string[] {
  const perChannel = c.shape(c.input(0)).map((side, axis) => (axis === 1 ? side : 1));
  const s = inverseScale(c);
  const shift = c.sub(c.input(2), c.mul(c.input(3), s));
  return [c.add(c.mul(c.input(0), c.reshape(s, perChannel)), c.reshape(shift, perChannel))];
}

export interface BufferUpdate {
  /** Weight of the batch's statistic. */
  readonly momentum: number;
  readonly unbiased: boolean;
  /** Filled: buffer -> its newest value. Undefined: nothing moves. */
  readonly updates: Map<string, string> | undefined;
  isRead(value: string): boolean;
}

/** Normalises by the batch's own statistics; running = (1 - m) running + m batch. */
export function batchStatistics(c: OpContext, update: BufferUpdate): (string | undefined)[] {
  const shape = c.shape(c.input(0));
  const count = shape.reduce((product, side, axis) => (axis === 1 ? product : product * side), 1);
  if (count < 2)
    throw c.refuse(
      `batch statistics need more than one value a channel, got input [${shape}] (use a larger batch, or frozen statistics)`,
    );
  const epsilon = float(attribute(c.node, 'epsilon', 'float', 1e-5));
  const inputs = [c.input(0), c.input(1), c.input(2)];
  const [y, mean, variance] = c.ops('BatchNormTraining', inputs, 3, { epsilon }, GRADIENT_DOMAIN) as [
    string,
    string,
    string,
  ];
  const { updates } = update;
  if (updates === undefined) return [y];
  const moved = (buffer: string, statistic: string, factor: number): string => {
    const old = updates.get(buffer) ?? buffer;
    const sum = [c.scale(old, 1 - update.momentum), c.scale(statistic, update.momentum * factor)];
    const next = c.builder.op('Add', sum, {}, { outputs: [c.builder.uniqueName(`${buffer}_updated`)] });
    updates.set(buffer, next);
    return next;
  };
  const nextMean = moved(c.input(3), mean, 1);
  const nextVariance = moved(c.input(4), variance, update.unbiased ? count / (count - 1) : 1);
  const asked = (index: number, value: string): string | undefined => {
    const output = c.node.outputs[index];
    return output && update.isRead(output) ? c.op('Identity', [value]) : undefined;
  };
  return [y, asked(1, nextMean), asked(2, nextVariance)];
}

// s = scale / √(variance + ε)
function inverseScale(c: OpContext): string {
  const epsilon = c.scalar(attribute(c.node, 'epsilon', 'float', 1e-5));
  return c.div(c.input(1), c.op('Sqrt', [c.add(c.input(4), epsilon)]));
}
