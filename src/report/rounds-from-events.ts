import type { RoundSummary } from './run-summary.ts';

/** A line of a run's `events.jsonl`, parsed. */
type Event = { readonly type: string; readonly [key: string]: unknown };

/**
 * The rounds of self-training, each as it was told last: a round that was done again after an interruption counts once, and one
 * that was taken back by a later round is not kept.
 */
export function roundsFromEvents(events: Iterable<Event>): RoundSummary[] {
  const rounds = new Map<number, RoundSummary>();
  for (const { type, time: _, ...event } of events) {
    const { round } = event;
    if (typeof round !== 'number') continue;
    if (type === 'round') rounds.set(round, event as unknown as RoundSummary);
    const told = rounds.get(round);
    if (type === 'rolled-back' && told !== undefined)
      rounds.set(round, { ...told, isKept: false, reasons: event['reasons'] as readonly string[] });
  }
  return [...rounds.values()].toSorted((a, b) => a.round - b.round);
}
