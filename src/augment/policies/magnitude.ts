import type { RandomStream } from '../../core/random.ts';
import type { Size } from '../../images/pixels.ts';
import type { Operation, Site } from '../operation.ts';
import { OPERATIONS } from '../operations.ts';
import type { Fill } from '../../images/sample.ts';
import type { Drawn, Parameters } from '../parameters.ts';
import type { Step } from '../step.ts';

/** The strongest magnitude of torchvision's scale; at it an operation has the level 1. */
export const MAX_MAGNITUDE = 30;

/**
 * An operation at a level (`Strength`): other parameters at the middle of their default range, what reaches beyond the
 * borders as told.
 * @param level 0 leaves the image as it is; above 1 where a policy goes further than RandAugment
 */
export function stepsAtLevel(
  operation: Operation,
  level: number,
  sign: 1 | -1,
  site: { readonly image: Size; readonly input: Size; readonly stream: RandomStream },
  fill?: Fill,
): readonly Step[] {
  const { strength, parameters } = operation;
  if (strength === undefined) throw new RangeError(`"${operation.name}" has no strength.`);
  const values: Record<string, unknown> = {};
  for (const [name, parameter] of Object.entries(parameters))
    values[name] = parameter.kind === 'range' ? (parameter.default[0] + parameter.default[1]) / 2 : parameter.default;
  Object.assign(values, strength.at(level, sign));
  if (fill !== undefined && parameters['fill']?.kind === 'fill') values['fill'] = fill;
  return operation.steps(values as Drawn<Parameters>, site);
}

/** With a direction drawn where the operation has two. */
export function stepsAtDrawnSign(operation: Operation, level: number, site: Site, fill?: Fill): readonly Step[] {
  const sign = operation.strength?.signed === true && site.stream.uniform() < 0.5 ? -1 : 1;
  return stepsAtLevel(operation, level, sign, site, fill);
}

/** @throws RangeError for a name that is no operation with a strength */
export function strongOperation(name: string): Operation {
  const operation = OPERATIONS.get(name);
  if (operation?.strength === undefined) throw new RangeError(`"${name}" is no operation with a strength.`);
  return operation;
}

/** Names of all operations with a strength. */
export function strongOperations(): string[] {
  return [...OPERATIONS.values()].filter(({ strength }) => strength !== undefined).map(({ name }) => name);
}
