import type { Candidate } from './candidate.ts';

/** Scores a candidate by training with a share of the full effort. Higher is better. */
export type Evaluate = (candidate: Candidate, rung: number) => Promise<number>;

export interface Scored {
  readonly candidate: Candidate;
  /** At the highest rung that it reached. */
  readonly score: number;
  readonly rung: number;
}

/**
 * Successive halving (Jamieson and Talwalkar 2016, arXiv:1502.07943): all candidates are tried with the least effort, the
 * best third with more, and so on.
 * @param rungs how many, each with more effort than the one before
 * @param isSpent asked before each trial; once it holds, no further trial is begun above the lowest rung
 * @returns best first; those that reached a higher rung stand before the others
 */
export async function successiveHalving(
  candidates: readonly Candidate[],
  rungs: number,
  evaluate: Evaluate,
  isSpent: () => boolean,
): Promise<Scored[]> {
  const best = new Map<Candidate, Scored>();
  let left = [...candidates];
  for (let rung = 0; rung < rungs && left.length > 0; rung++) {
    const scored: Scored[] = [];
    for (const candidate of left) {
      // Without the lowest rung there would be nothing to choose from.
      if (rung > 0 && isSpent()) break;
      const entry = { candidate, score: await evaluate(candidate, rung), rung };
      scored.push(entry);
      best.set(candidate, entry);
    }
    // A rung that was cut off says nothing about those that it did not reach.
    if (scored.length < left.length) break;
    left = ranked(scored)
      .slice(0, Math.max(1, Math.floor(left.length / 3)))
      .map(({ candidate }) => candidate);
  }
  return ranked([...best.values()]);
}

/** By rung, then by score; equals stay in their order. */
export function ranked(entries: readonly Scored[]): Scored[] {
  return entries.toSorted((a, b) => b.rung - a.rung || b.score - a.score);
}
