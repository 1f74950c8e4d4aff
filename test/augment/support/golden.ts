import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { OPERATIONS } from '../../../src/augment/operations.ts';
import type { Pixels } from '../../../src/images/pixels.ts';
import { runOperation } from './run-operation.ts';

/** What others make of one image, as base64 of [height, width, 3] bytes under their names. */
export interface GoldenCase {
  readonly operation: string;
  readonly values: Readonly<Record<string, number>>;
  readonly pillow?: string;
  readonly torchvision?: string;
  readonly opencv?: string;
}

export interface Golden<C = GoldenCase> {
  readonly image: Pixels;
  readonly cases: readonly C[];
}

export function readGolden<C = GoldenCase>(name: string): Golden<C> {
  const url = new URL(`../golden/${name}.json`, import.meta.url);
  const { cases, data, ...size } = JSON.parse(readFileSync(url, 'utf8')) as {
    readonly width: number;
    readonly height: number;
    readonly data: string;
    readonly cases: readonly C[];
  };
  return { image: { ...size, data: bytesOf(data) }, cases };
}

export function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'));
}

export interface Distance {
  readonly most: number;
  readonly mean: number;
}

export function distance(one: Uint8Array, other: Uint8Array): Distance {
  expect(one.length).toBe(other.length);
  const distances = Array.from(one, (value, i) => Math.abs(value - other[i]!));
  return { most: Math.max(...distances), mean: distances.reduce((sum, value) => sum + value, 0) / distances.length };
}

/** How far our result of a case is from another's. */
export function distanceFrom(
  peer: 'pillow' | 'torchvision' | 'opencv',
  { image }: Golden,
  { operation, values, ...results }: GoldenCase,
): Distance {
  return distance(runOperation(OPERATIONS.get(operation)!, values, image).data, bytesOf(results[peer]!));
}
