import type { MeasuredImage } from './measure-images.ts';
import { PROPERTIES, type PropertyKey } from './properties.ts';
import { quantile } from '../evaluate/bootstrap.ts';
import { ascending } from './statistics.ts';

const BINS = 24;

/** How often values of a property lie in each of some bins of equal width; what lies outside is in the outermost. */
export interface PropertyHistogram {
  readonly property: PropertyKey;
  readonly name: string;
  readonly unit: string;
  readonly from: number;
  readonly to: number;
  /** Shares of the images that have the property, adding up to 1. */
  readonly data: readonly number[];
  /** Empty without a world. */
  readonly world: readonly number[];
}

export function histogramsOf(data: readonly MeasuredImage[], world: readonly MeasuredImage[]): PropertyHistogram[] {
  return PROPERTIES.flatMap(({ key, name, unit }): PropertyHistogram[] => {
    const [own, others] = [data, world].map((images) => ascending(images.map(({ measures }) => measures[key]))) as [
      Float64Array,
      Float64Array,
    ];
    if (own.length === 0) return [];
    const ends = [own, others].filter((values) => values.length > 0);
    const from = Math.min(...ends.map((values) => quantile(values, 0.01)));
    const to = Math.max(...ends.map((values) => quantile(values, 0.99)));
    return [{ property: key, name, unit, from, to, data: sharesOf(own, from, to), world: sharesOf(others, from, to) }];
  });
}

function sharesOf(values: Float64Array, from: number, to: number): number[] {
  if (values.length === 0) return [];
  const shares = Array.from({ length: BINS }, () => 0);
  for (const value of values) {
    const bin = to > from ? Math.floor((BINS * (value - from)) / (to - from)) : 0;
    shares[Math.min(BINS - 1, Math.max(0, bin))]! += 1 / values.length;
  }
  return shares;
}
