import type { Operation } from './operation.ts';
import { brightness } from './ops/brightness.ts';
import { contrast } from './ops/contrast.ts';
import { rotate } from './ops/rotate.ts';

/** Every operation that a policy can name. */
export const OPERATIONS: ReadonlyMap<string, Operation> = new Map(
  [brightness, contrast, rotate].map((operation) => [operation.name, operation]),
);
