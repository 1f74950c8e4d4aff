import { clock, type TrackRecord } from '../core/profile.ts';

/** An event as Chrome's trace viewer and Perfetto read it; times are microseconds. */
export type TraceEvent =
  | {
      readonly ph: 'X';
      readonly name: string;
      readonly cat: string;
      readonly pid: number;
      readonly tid: number;
      readonly ts: number;
      readonly dur: number;
      readonly args?: Readonly<Record<string, number>>;
    }
  | {
      readonly ph: 'C';
      readonly name: string;
      readonly pid: number;
      readonly tid: number;
      readonly ts: number;
      readonly args: Readonly<Record<string, number>>;
    }
  | {
      readonly ph: 'M';
      readonly name: 'process_name' | 'thread_name' | 'thread_sort_index';
      readonly pid: number;
      readonly tid: number;
      readonly args: Readonly<Record<string, string | number>>;
    };

/** The JSON object form of the Trace Event Format. */
export interface Trace {
  readonly traceEvents: readonly TraceEvent[];
  readonly displayTimeUnit: 'ms';
  readonly otherData: Readonly<Record<string, unknown>>;
}

/**
 * Tracks as a trace that chrome://tracing and ui.perfetto.dev open, one thread a track.
 * @param start where the trace begins, on the tracks' clock
 * @param facts stand in `otherData`, beside how many spans of a name are left out
 * @see https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU (Trace Event Format)
 */
export function traceOf(
  tracks: readonly TrackRecord[],
  start: number,
  facts: Readonly<Record<string, unknown>> = {},
): Trace {
  const { pid } = process;
  // Rounding both ends, and not the duration, keeps spans inside those they lie in.
  const microseconds = (time: number): number => Math.round((time - start) * 1000);
  const events: TraceEvent[] = [
    { ph: 'M', name: 'process_name', pid, tid: 0, args: { name: 'gleaner train' } },
    ...tracks.flatMap(({ name, spans, levels }, i): TraceEvent[] => {
      const tid = i + 1;
      return [
        { ph: 'M', name: 'thread_name', pid, tid, args: { name } },
        { ph: 'M', name: 'thread_sort_index', pid, tid, args: { sort_index: i } },
        ...spans.map((span): TraceEvent => {
          const ts = microseconds(span.start);
          return {
            ph: 'X',
            name: span.detail === undefined ? span.name : `${span.name}: ${span.detail}`,
            cat: name,
            pid,
            tid,
            ts,
            dur: microseconds(span.end) - ts,
            ...(span.images > 0 && { args: { images: span.images } }),
          };
        }),
        ...levels.map((level): TraceEvent => {
          return { ph: 'C', name: level.name, pid, tid, ts: microseconds(level.time), args: { value: level.value } };
        }),
      ];
    }),
  ];
  const leftOut = tracks.flatMap(({ name: track, totals }) =>
    [...totals]
      .filter(([, { dropped }]) => dropped > 0)
      .map(([name, { dropped }]) => ({ track, name, spans: dropped })),
  );
  return {
    traceEvents: events,
    displayTimeUnit: 'ms',
    otherData: { ...facts, startedAt: new Date(start).toISOString(), seconds: (clock() - start) / 1000, leftOut },
  };
}
