import type { Item } from './element.ts';
import { elementOf } from './element.ts';
import type { Operation } from './operation.ts';
import type { Argument } from './parameters.ts';
import { parsePolicy, withText, type Policy } from './policy.ts';

/** A policy that does one operation to the evaluation crop, each time: at a level where it has levels, in both directions. */
export function singleView(operation: Operation, level: number | undefined): Policy {
  const [crop] = parsePolicy('evaluationcrop').image;
  const { strength } = operation;
  if (level === undefined || strength === undefined) return withText([crop!, itemOf(operation, {})]);
  const signs = strength.signed ? ([1, -1] as const) : ([1] as const);
  const items = signs.map((sign) => [itemOf(operation, strength.at(level, sign) as Readonly<Record<string, unknown>>)]);
  const oneOf: Item = { name: 'oneof', arguments: { p: 1 }, texts: [], sequences: items };
  return withText([crop!, items.length === 1 ? items[0]![0]! : oneOf]);
}

/** With values in place of ranges. */
function itemOf(operation: Operation, values: Readonly<Record<string, unknown>>): Item {
  const entries = Object.entries(elementOf(operation).parameters).map(([name, parameter]): [string, Argument] => {
    if (name === 'p') return [name, 1];
    const value = values[name];
    if (value === undefined) return [name, parameter.default as Argument];
    return [name, parameter.kind === 'range' ? [value as number, value as number] : (value as Argument)];
  });
  return { name: operation.name, arguments: Object.fromEntries(entries), texts: [], sequences: [] };
}
