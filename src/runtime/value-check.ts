import { suggestion } from '../core/errors.ts';
import type { DataType } from '../core/tensor.ts';

/** An input or output of a session. */
export interface ValueInfo {
  readonly name: string;
  readonly dtype: DataType;
  /** A string is a side known at run time only. Empty for a scalar, and where the model says nothing of the shape. */
  readonly shape: readonly (number | string)[];
}

interface Typed {
  readonly dtype: string;
  readonly shape: readonly number[];
}

/**
 * Checks names, types and shapes of everything a run is fed, so that the message names the input.
 * @param session names the model in messages.
 * @throws RangeError for a missing, unknown or wrongly shaped input, TypeError for a wrong type.
 */
export function checkInputs(session: string, inputs: readonly ValueInfo[], values: ReadonlyMap<string, Typed>): void {
  const names = inputs.map((input) => input.name);
  for (const name of values.keys())
    if (!names.includes(name))
      throw new RangeError(
        `${session} has no input "${name}"${suggestion(name, names)}; its inputs are ${names.join(', ') || 'none'}.`,
      );
  /** What each named side is in this run, and which input said so. */
  const sides = new Map<string, { size: number; input: string }>();
  for (const { name, dtype, shape } of inputs) {
    const value = values.get(name);
    if (value === undefined) throw new RangeError(`${session} needs its input "${name}" (${dtype} [${shape}]).`);
    if (value.dtype !== dtype)
      throw new TypeError(`Input "${name}" of ${session} takes ${dtype}, got ${value.dtype} [${value.shape}].`);
    if (shape.length === 0) continue;
    if (value.shape.length !== shape.length)
      throw new RangeError(
        `Input "${name}" of ${session} has rank ${shape.length} ([${shape}]), got rank ${value.shape.length} ([${value.shape}]).`,
      );
    for (const [axis, side] of shape.entries()) {
      const size = value.shape[axis]!;
      const earlier = typeof side === 'string' && side !== '' ? sides.get(side) : undefined;
      const expected = typeof side === 'number' ? side : (earlier?.size ?? size);
      if (size !== expected)
        throw new RangeError(
          `Input "${name}" of ${session} has the shape [${shape}], got [${value.shape}]` +
            (earlier === undefined ? '.' : `; "${side}" is ${earlier.size} in input "${earlier.input}".`),
        );
      if (typeof side === 'string' && side !== '' && earlier === undefined) sides.set(side, { size, input: name });
    }
  }
}

/** @throws RangeError that names the output and what there is. */
export function checkOutputs(session: string, outputs: readonly ValueInfo[], names: readonly string[]): void {
  const known = outputs.map((output) => output.name);
  for (const name of names)
    if (!known.includes(name))
      throw new RangeError(
        `${session} has no output "${name}"${suggestion(name, known)}; its outputs are ${known.join(', ')}.`,
      );
}
