/** A complete event of a trace. */
export interface CompleteEvent {
  readonly ph: 'X';
  readonly name: string;
  readonly tid: number;
  readonly ts: number;
  readonly dur: number;
  readonly args?: Readonly<Record<string, number>>;
}

/** Whether the events of one thread lie beside or inside each other, never overlapping in part. */
export function isNested(events: readonly CompleteEvent[]): boolean {
  const ends: number[] = [];
  for (const { ts, dur } of events.toSorted((a, b) => a.ts - b.ts || b.dur - a.dur)) {
    while (ends.length > 0 && ends.at(-1)! <= ts) ends.pop();
    if (ends.length > 0 && ts + dur > ends.at(-1)!) return false;
    ends.push(ts + dur);
  }
  return true;
}
