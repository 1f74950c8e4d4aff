import type { RoundSummary } from './run-summary.ts';

/** A line of a run's `events.jsonl`, parsed. */
type Event = { readonly type: string; readonly [key: string]: unknown };

/** The rounds of self-training, each as it was told last: a round that was done again after an interruption counts once. */
export function roundsFromEvents(events: Iterable<Event>): RoundSummary[] {
  const rounds = new Map<number, RoundSummary>();
  for (const { type, time: _, ...round } of events)
    if (type === 'round' && typeof round['round'] === 'number')
      rounds.set(round['round'], round as unknown as RoundSummary);
  return [...rounds.values()].toSorted((a, b) => a.round - b.round);
}
