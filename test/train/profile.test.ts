import { array, assert, double, property } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Track, type Span, type Total, type TrackRecord } from '../../src/core/profile.ts';
import { summarizeProfile } from '../../src/train/profile-summary.ts';
import { traceOf } from '../../src/train/profile-trace.ts';
import { isNested } from '../support/trace.ts';

function record(name: string, totals: Record<string, Partial<Total>>, training: Record<string, Partial<Total>> = {}) {
  const fill = (given: Record<string, Partial<Total>>) =>
    new Map(
      Object.entries(given).map(([key, total]) => [
        key,
        { calls: 1, images: 0, own: 0, whole: 0, dropped: 0, ...total },
      ]),
    );
  return { name, spans: [], levels: [], totals: fill(totals), trainingTotals: fill(training) } satisfies TrackRecord;
}

describe('summarizeProfile', () => {
  it('shares out the time of training between computing, waiting for images, and the rest', () => {
    const job = record(
      'job',
      { epoch: { own: 500, whole: 4000 }, 'wait for a batch': { own: 700, calls: 7 } },
      { epoch: { own: 500, whole: 4000 }, 'wait for a batch': { own: 300 }, 'wait for crops': { own: 100 } },
    );
    // Runs outside of training do not count.
    const engine = record(
      'engine',
      { pass: { own: 5000, images: 10, whole: 5000 } },
      { pass: { own: 3000 }, feed: { own: 200 } },
    );
    const decoders = [
      record('image decoder 1', { decode: { calls: 3, images: 3, own: 1000 } }),
      record('image decoder 2', { decode: { calls: 5, images: 5, own: 3000 }, read: { own: 10 } }),
    ];
    const { training, rows } = summarizeProfile([job], engine, decoders, 10);
    expect(training.seconds).toBe(4);
    expect(training.engineBusy).toBeCloseTo(0.8);
    expect(training.engineWaiting).toBeCloseTo(0.1);
    expect(training.engineOtherwiseIdle).toBeCloseTo(0.1);
    expect(rows).toEqual([
      { thread: 'job', what: 'wait for a batch', calls: 7, images: 0, seconds: 0.7, share: expect.closeTo(0.07) },
      { thread: 'job', what: 'epoch', calls: 1, images: 0, seconds: 0.5, share: 0.05 },
      { thread: 'engine', what: 'pass', calls: 1, images: 10, seconds: 5, share: 0.5 },
      { thread: 'image decoders', what: 'decode', calls: 8, images: 8, seconds: 4, share: 0.2 },
      { thread: 'image decoders', what: 'read', calls: 1, images: 0, seconds: 0.01, share: 0.0005 },
    ]);
  });

  it('has no shares where nothing was trained or the engine can not tell', () => {
    const { training } = summarizeProfile([record('job', { read: { own: 5 } })], undefined, [], 1);
    expect(training).toEqual({ seconds: 0, engineBusy: 0, engineWaiting: 0, engineOtherwiseIdle: 0 });
  });
});

describe('traceOf', () => {
  it('writes complete events, counters and names of threads, in microseconds from the start', () => {
    const start = 1_700_000_000_000;
    const span = (changes: Partial<Span>): Span => ({ name: 'step', start, end: start, images: 0, ...changes });
    const track: TrackRecord = {
      ...record('job', { step: { calls: 9, dropped: 7 } }),
      spans: [
        span({ start: start + 1.5, end: start + 4, images: 16 }),
        span({ name: 'stage', detail: 'fold-1', end: start + 5 }),
      ],
      levels: [{ name: 'ready', time: start + 2, value: 3 }],
    };
    const trace = traceOf([track], start, { version: 'x' });
    expect(JSON.parse(JSON.stringify(trace))).toEqual(trace);
    const { pid } = process;
    expect(trace.traceEvents).toEqual([
      { ph: 'M', name: 'process_name', pid, tid: 0, args: { name: 'gleaner train' } },
      { ph: 'M', name: 'thread_name', pid, tid: 1, args: { name: 'job' } },
      { ph: 'M', name: 'thread_sort_index', pid, tid: 1, args: { sort_index: 0 } },
      { ph: 'X', name: 'step', cat: 'job', pid, tid: 1, ts: 1500, dur: 2500, args: { images: 16 } },
      { ph: 'X', name: 'stage: fold-1', cat: 'job', pid, tid: 1, ts: 0, dur: 5000 },
      { ph: 'C', name: 'ready', pid, tid: 1, ts: 2000, args: { value: 3 } },
    ]);
    expect(trace.otherData).toMatchObject({ version: 'x', leftOut: [{ track: 'job', name: 'step', spans: 7 }] });
  });

  it('never lets rounding make spans overlap in part', () => {
    const times = array(double({ min: 0, max: 0.02, noNaN: true }), { minLength: 4, maxLength: 4 });
    assert(
      property(times, (given) => {
        const [a, b, c, d] = given.toSorted((x, y) => x - y) as [number, number, number, number];
        const start = 1_700_000_000_000;
        const span = (from: number, to: number): Span => ({
          name: 's',
          start: start + from,
          end: start + to,
          images: 0,
        });
        for (const spans of [
          [span(a, d), span(b, c)],
          [span(a, b), span(c, d)],
          [span(a, c), span(b, c)],
        ]) {
          const events = traceOf([{ ...new Track('t').record(), spans }], start).traceEvents;
          expect(isNested(events.filter(({ ph }) => ph === 'X') as never)).toBe(true);
        }
      }),
    );
  });
});
