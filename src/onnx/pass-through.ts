import { toNumbers, type Tensor } from '../core/tensor.ts';
import { ONNX_DOMAIN, type Node, type TensorType } from './graph.ts';
import { isUnknownDim } from './unknown-dims.ts';

interface Known {
  readonly types: ReadonlyMap<string, TensorType>;
  readonly constants: ReadonlyMap<string, Tensor>;
}

/** The input that a node hands on unchanged, or undefined where it does something. */
export function passedThrough(node: Node, known: Known): string | undefined {
  const [input, ...others] = node.inputs;
  if (node.domain !== ONNX_DOMAIN || input === undefined || node.outputs[0] === '') return undefined;
  switch (node.opType) {
    case 'Identity':
      return input;
    case 'Dropout':
      return node.outputs.length === 1 && isInference(others[1] ?? '', known) ? input : undefined;
    case 'Cast':
    case 'CastLike':
      return known.types.get(input)?.dtype === known.types.get(node.outputs[0]!)?.dtype ? input : undefined;
    case 'Concat':
    case 'Sum':
    case 'Max':
    case 'Min':
    case 'Mean':
      return others.length === 0 ? input : undefined;
    case 'Expand':
    case 'Flatten':
    case 'Reshape':
    case 'Slice':
    case 'Squeeze':
    case 'Tile':
    case 'Unsqueeze':
      return keepsOrder(node, known) && sameShape(input, node.outputs[0]!, known) ? input : undefined;
    case 'Pad':
      return isZero(others[0] ?? '', known) ? input : undefined;
    default:
      return undefined;
  }
}

function isInference(trainingMode: string, { constants }: Known): boolean {
  return trainingMode === '' || constants.get(trainingMode)?.data[0] === 0;
}

/** A slice with a negative step may keep the shape and turn the order round. */
function keepsOrder(node: Node, { constants }: Known): boolean {
  const steps = node.opType === 'Slice' ? (node.inputs[4] ?? '') : '';
  if (steps === '') return true;
  const value = constants.get(steps);
  return value !== undefined && toNumbers(value).every((step) => step === 1);
}

function sameShape(a: string, b: string, { types }: Known): boolean {
  const [left, right] = [types.get(a)?.shape, types.get(b)?.shape];
  if (left === undefined || right === undefined || left.length !== right.length) return false;
  return left.every((side, i) => side === right[i] && !isUnknownDim(side));
}

function isZero(name: string, { constants }: Known): boolean {
  const value = constants.get(name);
  return value !== undefined && toNumbers(value).every((pad) => pad === 0);
}
