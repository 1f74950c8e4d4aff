import { toNumbers, type DataType } from '../../core/tensor.ts';
import type { Dim, Shape, TensorType } from '../graph.ts';
import type { InferContext } from '../infer.ts';
import { isFloating } from '../data-types.ts';

/** What shape rules ask of their node's inputs. */

/** The type of a required input. @throws TypeError where it is absent. */
export function typeAt(context: InferContext, index: number): TensorType {
  const type = context.inputs[index];
  if (type === undefined) throw new TypeError(`input ${index} is required and absent.`);
  return type;
}

/** The type of a required input of a floating type. @throws TypeError */
export function floatingAt(context: InferContext, index: number): TensorType {
  const type = typeAt(context, index);
  if (!isFloating(type.dtype)) throw new TypeError(`input ${index} must be of a floating type, got ${type.dtype}.`);
  return type;
}

/** Whether an optional input is there. */
export function isPresent(context: InferContext, index: number): boolean {
  return (context.node.inputs[index] ?? '') !== '';
}

/** @throws TypeError unless every listed input that is present has the type of the first. */
export function requireSameDtype(context: InferContext, ...indices: readonly number[]): DataType {
  const { dtype } = typeAt(context, indices[0]!);
  for (const index of indices) {
    const other = context.inputs[index]?.dtype;
    if (other !== undefined && other !== dtype)
      throw new TypeError(`inputs ${indices[0]} and ${index} must have one type, got ${dtype} and ${other}.`);
  }
  return dtype;
}

/** @throws TypeError unless the input has this type. */
export function requireDtype(context: InferContext, index: number, ...allowed: readonly DataType[]): void {
  const { dtype } = typeAt(context, index);
  if (!allowed.includes(dtype))
    throw new TypeError(`input ${index} must be of type ${allowed.join(' or ')}, got ${dtype}.`);
}

/** @throws RangeError unless the shape is unknown or has a rank in [least, most]. */
export function requireRank(shape: Shape | undefined, index: number, least: number, most = least): void {
  if (shape === undefined || (shape.length >= least && shape.length <= most)) return;
  const wanted = least === most ? `${least}` : most === Infinity ? `at least ${least}` : `${least} to ${most}`;
  throw new RangeError(`input ${index} must have rank ${wanted}, got [${shape}].`);
}

/** A constant input as plain numbers, or undefined where it is absent or not known. */
export function constantNumbers(context: InferContext, index: number): number[] | undefined {
  const value = context.constant(index);
  return value === undefined ? undefined : toNumbers(value);
}

/** The sides held by a shape-like input: numbers where constant, symbols where computed from a shape. */
export function sidesAt(context: InferContext, index: number): Shape | undefined {
  return constantNumbers(context, index) ?? context.sides?.(index);
}

/** More axes than any tensor has: what would be longer is no shape. */
const MOST_AXES = 64;

/** How many elements a shape-like vector has, where that is known. @throws RangeError where no shape is so long. */
export function lengthAt(context: InferContext, index: number): number | undefined {
  const side = context.inputs[index]?.shape?.[0];
  if (typeof side === 'number' && side > MOST_AXES)
    throw new RangeError(`input ${index} must have at most ${MOST_AXES} elements, got ${side}.`);
  return typeof side === 'number' ? side : undefined;
}

/** `rank` sides of which nothing is known. */
export function unknownSides(context: InferContext, rank: number): Dim[] {
  return Array.from({ length: rank }, () => context.unknownDim());
}

/** A negative axis counted from the front. @throws RangeError unless -rank <= axis < rank. */
export function normalizeAxis(axis: number, rank: number): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank)
    throw new RangeError(`axis must be in [${-rank}, ${rank - 1}], got ${axis}.`);
  return axis < 0 ? axis + rank : axis;
}

/** @throws RangeError for an axis out of range or given twice. */
export function normalizeAxes(axes: readonly number[], rank: number): number[] {
  const result = axes.map((axis) => normalizeAxis(axis, rank));
  if (new Set(result).size !== result.length) throw new RangeError(`axes must differ from each other, got [${axes}].`);
  return result;
}
