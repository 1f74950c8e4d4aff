import { randomStream } from '../../../src/core/random.ts';
import { elementOf } from '../../../src/augment/element.ts';
import type { Operation } from '../../../src/augment/operation.ts';
import type { Argument } from '../../../src/augment/parameters.ts';
import { runSteps } from '../../../src/augment/run-steps.ts';
import type { Step } from '../../../src/augment/step.ts';
import type { Pixels, Size } from '../../../src/images/pixels.ts';

/** Steps of an operation that is surely done; parameters that are not given are drawn from their default. */
export function stepsOf(
  operation: Operation,
  values: Readonly<Record<string, unknown>>,
  image: Size,
  seed: number | string = 1,
  input: Size = image,
): readonly Step[] {
  const entries = Object.entries(operation.parameters).map(([name, parameter]) => {
    const value = name in values ? values[name] : parameter.default;
    return [name, parameter.kind === 'range' && typeof value === 'number' ? [value, value] : value];
  });
  const args = { ...Object.fromEntries(entries), p: 1 } as Record<string, Argument>;
  const item = { name: operation.name, arguments: args, texts: [], sequences: [] };
  const site = { image, input, label: undefined, stream: randomStream('operation', seed) };
  return elementOf(operation).draw(item, site, () => []);
}

export function runOperation(
  operation: Operation,
  values: Readonly<Record<string, unknown>>,
  image: Pixels,
  seed: number | string = 1,
): Pixels {
  return runSteps(stepsOf(operation, values, image, seed), image);
}
