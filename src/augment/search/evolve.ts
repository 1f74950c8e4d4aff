import type { RandomStream } from '../../core/random.ts';
import { mutated, type Candidate, type SearchSpace } from './candidate.ts';
import type { Evaluate, Scored } from './halving.ts';

/** Of a population, how many meet in a tournament. */
const TOURNAMENT = 3;

/**
 * Aging evolution (Real et al. 2019, arXiv:1802.01548) over subsets of operations: the best of a few that are drawn from
 * the population has a child with one change, which takes the place of the oldest.
 * @param seeds first population; those scored at `rung` before keep their score
 * @returns all that were scored at `rung`, best first
 */
export async function evolve(
  seeds: readonly Scored[],
  space: SearchSpace,
  rung: number,
  evaluate: Evaluate,
  isSpent: () => boolean,
  stream: RandomStream,
): Promise<Scored[]> {
  const all = new Map<string, Scored>();
  const population: Scored[] = [];
  const add = async (candidate: Candidate): Promise<void> => {
    const key = JSON.stringify(candidate);
    const known = all.get(key) ?? { candidate, score: await evaluate(candidate, rung), rung };
    all.set(key, known);
    population.push(known);
  };
  for (const seed of seeds) {
    if (seed.rung === rung) all.set(JSON.stringify(seed.candidate), seed);
    else if (isSpent()) continue;
    await add(seed.candidate);
  }
  const size = Math.max(population.length, 2);
  while (!isSpent() && population.length > 0) {
    const drawn = Array.from({ length: TOURNAMENT }, () => population[stream.integer(population.length)]!);
    const parent = drawn.reduce((best, one) => (one.score > best.score ? one : best));
    // A child that is known already costs nothing and says nothing: another one is tried.
    let child = mutated(parent.candidate, space, stream);
    for (let tries = 0; tries < 20 && all.has(JSON.stringify(child)); tries++) child = mutated(child, space, stream);
    if (all.has(JSON.stringify(child))) break;
    await add(child);
    if (population.length > size) population.shift();
  }
  return [...all.values()].toSorted((a, b) => b.score - a.score);
}
