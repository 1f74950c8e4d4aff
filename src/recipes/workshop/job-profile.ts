import { existsSync } from 'node:fs';
import { writeFileAtomic } from '../../core/atomic-file.ts';
import { packageVersion } from '../../core/package-version.ts';
import { clock, Track } from '../../core/profile.ts';
import type { OnProgress } from '../../core/progress.ts';
import type { ImagePool } from '../../batches/image-pool.ts';
import type { Engine } from '../../runtime/engine.ts';
import { summarizeProfile } from '../../train/profile-summary.ts';
import { traceOf } from '../../train/profile-trace.ts';
import type { RunFolder } from '../../train/run-folder.ts';

/** Measures a job: its own steps, and what goes on beside them. */
export class JobProfile {
  readonly job = new Track('job');
  /** Reading the data, while the engine starts. */
  readonly data = new Track('data');
  /** What the main thread does with crops. */
  readonly batches = new Track('batches');
  /** Checkpoints, while training goes on. */
  readonly writing = new Track('writing');
  readonly #start = clock();
  #isFinished = false;

  /**
   * Writes a trace into the run's folder (`profile.json`; of a resumed run `profile-2.json`, ...) and tells the sums.
   * A profile is no reason to fail: what is missing is told as a warning. Finishing again does nothing.
   */
  async finish(
    run: RunFolder,
    engine: Engine,
    pool: ImagePool | undefined,
    onProgress: OnProgress | undefined,
  ): Promise<void> {
    if (this.#isFinished) return;
    this.#isFinished = true;
    const seconds = (clock() - this.#start) / 1000;
    // A thread that died has nothing more to tell.
    const engineTrack = await engine.profile().catch(() => undefined);
    const decoders = (await pool?.profile().catch(() => undefined)) ?? [];
    const own = [this.job.record(), this.data.record(), this.batches.record(), this.writing.record()] as const;
    const tracks = [...own, ...(engineTrack === undefined ? [] : [engineTrack]), ...decoders];
    const summary = summarizeProfile(own, engineTrack, decoders, seconds);
    let file: string | undefined;
    try {
      file = freeFile(run);
      const trace = traceOf(tracks, this.#start, { gleaner: packageVersion(), training: summary.training });
      await writeFileAtomic(file, `${JSON.stringify(trace)}\n`);
    } catch (error) {
      file = undefined;
      onProgress?.({ type: 'warning', message: `The profile was not written: ${(error as Error).message}` });
    }
    const threads = pool && { decodingThreads: { training: pool.trainingShare.threads, all: pool.threads } };
    onProgress?.({ type: 'profile', ...(file !== undefined && { file }), ...summary, ...threads });
  }
}

/** A resumed run leaves what was measured before it. */
function freeFile(run: RunFolder): string {
  for (let count = 1; ; count++) {
    const file = run.file(count === 1 ? 'profile.json' : `profile-${count}.json`);
    if (!existsSync(file)) return file;
  }
}
