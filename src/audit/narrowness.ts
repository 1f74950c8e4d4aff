import { randomStream } from '../core/random.ts';
import { mostExtreme } from './compare-with-world.ts';
import type { Finding } from './finding.ts';
import type { MeasuredImage } from './measure-images.ts';
import { PROPERTIES } from './properties.ts';
import { bootstrapInterval, quantile } from '../evaluate/bootstrap.ts';
import { ascending, drawn } from './statistics.ts';

const FEWEST = 20;
const MOST_RESAMPLED = 1500;
/** Of the typical spread; the whole interval must lie below. */
const NARROW = 0.4;

/**
 * Properties that vary far less than in photos as people take them. The typical spreads are those of 3,068 photos of
 * clothes by many people and of 6,000 of CIFAR-10, the smaller of the two where they differ.
 */
export function narrownessFindings(data: readonly MeasuredImage[], seed: number): Finding[] {
  return PROPERTIES.flatMap((property): Finding[] => {
    const { key, typicalSpread } = property;
    const stream = randomStream(seed, 'audit', key, 'narrow');
    const values = ascending(
      drawn(
        data.map(({ measures }) => measures[key]),
        MOST_RESAMPLED,
        stream,
      ),
    );
    if (typicalSpread === undefined || values.length < FEWEST) return [];
    const ratio = (sorted: Float64Array): number => (quantile(sorted, 0.9) - quantile(sorted, 0.1)) / typicalSpread;
    const [value, interval] = [ratio(values), bootstrapInterval(ratio, [values], stream)];
    if (interval[1] >= NARROW) return [];
    return [
      {
        kind: 'narrow',
        severity: interval[1] < NARROW / 2 ? 'medium' : 'low',
        what: `The images hardly vary in ${property.name}: their spread is ${Math.round(100 * value)} % of what photos usually have.`,
        advice: 'If the model will meet others, collect them, or give unlabelled ones with --world to see by how much.',
        property: key,
        evidence: {
          'spread against photos as people take them': { value, interval },
          '10th percentile': { value: quantile(values, 0.1) },
          '90th percentile': { value: quantile(values, 0.9) },
        },
        classes: [],
        examples: [...mostExtreme(data, key, 'low').slice(0, 2), ...mostExtreme(data, key, 'high').slice(0, 2)],
      },
    ];
  });
}
