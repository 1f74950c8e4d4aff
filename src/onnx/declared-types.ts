import { ModelError } from '../core/errors.ts';
import type { TensorType } from './graph.ts';
import { isUnknownDim } from './unknown-dims.ts';

/**
 * What is inferred about a value, with the model's own word for sides that inference could not name.
 * Where both know a side, inference wins: exporters leave stale sizes behind.
 * @throws ModelError where the element types differ.
 */
export function mergeDeclared(name: string, inferred: TensorType | undefined, declared: TensorType): TensorType {
  if (inferred === undefined) return declared;
  if (inferred.dtype !== declared.dtype)
    throw new ModelError(`"${name}" is declared ${declared.dtype}, its node makes ${inferred.dtype}.`);
  const { shape } = inferred;
  if (shape === undefined) return declared;
  if (declared.shape?.length !== shape.length) return inferred;
  return {
    dtype: inferred.dtype,
    shape: shape.map((side, i) => (isUnknownDim(side) ? declared.shape![i]! : side)),
  };
}
