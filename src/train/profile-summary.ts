import type { ProfileRow, Total, TrackRecord } from '../core/profile.ts';
import type { Progress } from '../core/progress.ts';

type Summary = Omit<Extract<Progress, { type: 'profile' }>, 'type' | 'file' | 'decodingThreads'>;

/** Names that the training loop and evaluation give to waiting for images. */
export const WAITS = { batch: 'wait for a batch', crops: 'wait for crops' } as const;
/** The span of an epoch with all that belongs to it. */
export const EPOCH = 'epoch';

/**
 * Where the time of a job went.
 * @param tracks the first is the job's own, which waits for all others
 * @param seconds of the whole job
 */
export function summarizeProfile(
  [job, ...others]: readonly [TrackRecord, ...TrackRecord[]],
  engine: TrackRecord | undefined,
  decoders: readonly TrackRecord[],
  seconds: number,
): Summary {
  const rows = [
    ...rowsOf(job.name, [job], seconds),
    ...others.flatMap((track) => rowsOf(track.name, [track], seconds)),
    ...(engine === undefined ? [] : rowsOf(engine.name, [engine], seconds)),
    ...rowsOf('image decoders', decoders, seconds),
  ];
  const training = (job.trainingTotals.get(EPOCH)?.whole ?? 0) / 1000;
  const share = (ms: number): number => (training === 0 ? 0 : Math.min(1, ms / 1000 / training));
  const busy = share([...(engine?.trainingTotals.values() ?? [])].reduce((sum, { own }) => sum + own, 0));
  const waited = Object.values(WAITS).reduce((sum, name) => sum + (job.trainingTotals.get(name)?.own ?? 0), 0);
  // The engine may finish something while the job already waits.
  const waiting = Math.min(share(waited), 1 - busy);
  return {
    seconds,
    training: {
      seconds: training,
      engineBusy: busy,
      engineWaiting: waiting,
      engineOtherwiseIdle: training === 0 ? 0 : 1 - busy - waiting,
    },
    rows,
  };
}

/** What took most comes first. */
function rowsOf(thread: string, tracks: readonly TrackRecord[], seconds: number): ProfileRow[] {
  const totals = new Map<string, Pick<Total, 'calls' | 'images' | 'own'>>();
  for (const track of tracks)
    for (const [name, { calls, images, own }] of track.totals) {
      const sum = totals.get(name) ?? { calls: 0, images: 0, own: 0 };
      totals.set(name, { calls: sum.calls + calls, images: sum.images + images, own: sum.own + own });
    }
  return [...totals]
    .map(([what, { calls, images, own }]) => ({
      thread,
      what,
      calls,
      images,
      seconds: own / 1000,
      share: own / 1000 / (seconds * tracks.length),
    }))
    .toSorted((a, b) => b.seconds - a.seconds);
}
