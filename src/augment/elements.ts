import { elementOf, type Element } from './element.ts';
import { OPERATIONS } from './operations.ts';
import { oneOf } from './combining/one-of.ts';
import { except, only } from './combining/only.ts';

/** Every name that a policy can have. */
export const ELEMENTS: ReadonlyMap<string, Element> = new Map(
  [...[...OPERATIONS.values()].map(elementOf), oneOf, only, except].map((element) => [element.name, element]),
);
