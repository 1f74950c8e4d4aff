import { describe, expect, it } from 'vitest';
import { timed, timedSync, Track, waited } from '../../src/core/profile.ts';

/** Keeps the thread busy until its clock has moved on. */
function spend(milliseconds: number): void {
  for (const end = performance.now() + milliseconds; performance.now() < end;);
}

describe('Track', () => {
  it('counts time to the innermost span, once', async () => {
    const track = new Track('job');
    await timed(track, 'outer', async () => {
      spend(2);
      timedSync(track, 'inner', () => spend(3), 4);
      await timed(track, 'inner', async () => spend(1), 2, 'which');
    });
    const { spans, totals } = track.record();
    expect(spans.map(({ name, images }) => [name, images])).toEqual([
      ['inner', 4],
      ['inner', 2],
      ['outer', 0],
    ]);
    expect(spans[1]!.detail).toBe('which');
    const [outer, inner] = [totals.get('outer')!, totals.get('inner')!];
    expect(inner).toMatchObject({ calls: 2, images: 6, own: inner.whole, dropped: 0 });
    expect(outer.own + inner.own).toBeCloseTo(outer.whole, 6);
    expect(outer.whole).toBeCloseTo(spans[2]!.end - spans[2]!.start, 6);
    expect(spans[2]!.start).toBeLessThanOrEqual(spans[0]!.start);
    expect(spans[2]!.end).toBeGreaterThanOrEqual(spans[1]!.end);
  });

  it('closes what fails', async () => {
    const track = new Track('job');
    const failing = timed(track, 'outer', () => timed(track, 'inner', () => Promise.reject(new Error('no'))));
    await expect(failing).rejects.toThrow('no');
    expect(() =>
      timedSync(track, 'next', () => {
        throw new Error('neither');
      }),
    ).toThrow('neither');
    timedSync(track, 'last', () => {});
    expect(track.record().spans.map(({ name }) => name)).toEqual(['inner', 'outer', 'next', 'last']);
  });

  it('tells what was done while a network was trained', () => {
    const track = new Track('engine');
    timedSync(track, 'run', () => {}, 1);
    track.training = true;
    timedSync(track, 'run', () => {}, 2);
    track.training = false;
    timedSync(track, 'run', () => {}, 4);
    const { totals, trainingTotals } = track.record();
    expect(totals.get('run')).toMatchObject({ calls: 3, images: 7 });
    expect(trainingTotals.get('run')).toMatchObject({ calls: 1, images: 2 });
  });

  it('keeps the first of very many spans and levels, and counts all', () => {
    const track = new Track('job');
    for (let i = 0; i < 5000; i++) {
      timedSync(track, 'step', () => {}, 1);
      track.level('queue', i);
    }
    timedSync(track, 'rare', () => {});
    const { spans, levels, totals } = track.record();
    const total = totals.get('step')!;
    expect(total).toMatchObject({ calls: 5000, images: 5000 });
    expect(total.dropped).toBeGreaterThan(0);
    expect(spans.filter(({ name }) => name === 'step')).toHaveLength(5000 - total.dropped);
    expect(spans.filter(({ name }) => name === 'rare')).toHaveLength(1);
    expect(levels.length).toBeLessThan(5000);
  });
});

describe('without a track', () => {
  it('does the work and hands on the items as they are', async () => {
    expect(await timed(undefined, 'x', async () => 3)).toBe(3);
    expect(timedSync(undefined, 'x', () => 4)).toBe(4);
    const items = (async function* () {})();
    expect(waited(undefined, 'x', items)).toBe(items);
  });
});

describe('waited', () => {
  const source = (log: string[]) =>
    (async function* () {
      try {
        yield* [1, 2, 3];
      } finally {
        log.push('closed');
      }
    })();

  it('hands on every item and measures each wait, the last included', async () => {
    const track = new Track('job');
    const log: string[] = [];
    const got: number[] = [];
    for await (const item of waited(track, 'wait', source(log))) got.push(item);
    expect(got).toEqual([1, 2, 3]);
    expect(log).toEqual(['closed']);
    expect(track.record().totals.get('wait')!.calls).toBe(4);
  });

  it('closes the source when the reader leaves', async () => {
    const log: string[] = [];
    for await (const _ of waited(new Track('job'), 'wait', source(log))) break;
    expect(log).toEqual(['closed']);
  });
});
