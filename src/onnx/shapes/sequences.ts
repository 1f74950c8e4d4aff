import { attribute, type Graph, type Shape, type TensorType } from '../graph.ts';
import type { InferContext, InferRule } from '../infer.ts';
import { mergeShapes } from './dimensions.ts';
import { isUnknownDim } from '../unknown-dims.ts';
import { isPresent, requireRank, typeAt } from './inputs.ts';

/** Control flow, and recurrent layers: operators that run something several times. */

function body(c: InferContext, name: string): Graph {
  const found = c.node.attributes[name];
  if (found?.kind !== 'graph') throw new TypeError(`attribute "${name}" must be a graph.`);
  return found.value;
}

/** A body's unknown sides are its own: outside they get symbols of their own. */
function outside(type: TensorType | undefined, c: InferContext): TensorType | undefined {
  const shape = type?.shape?.map((side) => (isUnknownDim(side) ? c.unknownDim() : side));
  return type && { dtype: type.dtype, shape };
}

const branch: InferRule = (c) => {
  const left = body(c, 'then_branch').outputs;
  const right = body(c, 'else_branch').outputs;
  return c.node.outputs.map((_, i) => {
    const [a, b] = [outside(left[i]?.type, c), outside(right[i]?.type, c)];
    if (a === undefined || b === undefined || a.dtype !== b.dtype) return undefined;
    const same = a.shape !== undefined && a.shape.join() === b.shape?.join();
    return { dtype: a.dtype, shape: same ? mergeShapes(a.shape, b.shape) : undefined };
  });
};

/** Carried values may change shape from turn to turn: only their types are certain. */
const loop: InferRule = (c) => {
  const results = body(c, 'body').outputs.slice(1);
  const carried = Math.max(0, c.node.inputs.length - 2);
  return c.node.outputs.map((_, i) => {
    const type = outside(results[i]?.type, c);
    if (type === undefined) return undefined;
    return i < carried ? { dtype: type.dtype, shape: undefined } : stacked(type, c);
  });
};

const scan: InferRule = (c) => {
  const results = body(c, 'body').outputs;
  const states = c.node.inputs.length - attribute(c.node, 'num_scan_inputs', 'int');
  return c.node.outputs.map((_, i) => {
    const type = outside(results[i]?.type, c);
    if (type === undefined || i < states) return type;
    return attribute(c.node, 'scan_output_axes', 'ints', []).some((axis) => axis !== 0)
      ? { dtype: type.dtype, shape: undefined }
      : stacked(type, c);
  });
};

function stacked(type: TensorType, c: InferContext): TensorType {
  return { dtype: type.dtype, shape: type.shape === undefined ? undefined : [c.unknownDim(), ...type.shape] };
}

/** X [T, N, I] (layout 1: [N, T, I]) -> Y [T, D, N, H], then the last hidden and cell state [D, N, H]. */
const recurrent: InferRule = (c) => {
  const { dtype, shape } = typeAt(c, 0);
  requireRank(shape, 0, 3);
  const directions = attribute(c.node, 'direction', 'string', 'forward') === 'bidirectional' ? 2 : 1;
  const hidden = isPresent(c, 2) ? (typeAt(c, 2).shape?.[2] ?? c.unknownDim()) : c.unknownDim();
  if (shape === undefined) return c.node.outputs.map(() => ({ dtype, shape }));
  const batchFirst = attribute(c.node, 'layout', 'int', 0) === 1;
  const [steps, batch] = batchFirst ? [shape[1]!, shape[0]!] : [shape[0]!, shape[1]!];
  const whole: Shape = batchFirst ? [batch, steps, directions, hidden] : [steps, directions, batch, hidden];
  const last: Shape = batchFirst ? [batch, directions, hidden] : [directions, batch, hidden];
  return [
    { dtype, shape: whole },
    { dtype, shape: last },
    { dtype, shape: last },
  ];
};

export const sequenceRules: Readonly<Record<string, InferRule>> = {
  If: branch,
  Loop: loop,
  Scan: scan,
  LSTM: recurrent,
  GRU: recurrent,
  RNN: recurrent,
};
