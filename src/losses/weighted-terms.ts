import type { GraphBuilder } from '../onnx/builder.ts';
import { constantLike } from './targets.ts';

/** A term of a loss: what it counts for, and what adds its value to the graph. */
interface Term {
  readonly weight: number;
  readonly value: () => string;
}

/**
 * The sum of terms times their weights. Terms of weight 0 are not computed.
 * @param like value of the terms' type
 * @param terms by the name of the option that holds the weight
 * @throws RangeError for a weight that is not finite or negative, or where all are 0.
 */
export function weightedTerms(b: GraphBuilder, like: string, terms: Readonly<Record<string, Term>>): string {
  const names = Object.keys(terms).join(' and ');
  for (const [name, { weight }] of Object.entries(terms))
    if (!(weight >= 0 && Number.isFinite(weight)))
      throw new RangeError(`${name} must be finite and not negative, got ${weight}.`);
  const weighted = Object.values(terms)
    .filter(({ weight }) => weight > 0)
    .map(({ weight, value }) => b.op('Mul', [value(), constantLike(b, like, weight)]));
  if (weighted.length === 0) throw new RangeError(`One of ${names} must be over 0, or nothing is learnt.`);
  return weighted.reduce((sum, term) => b.op('Add', [sum, term]));
}
