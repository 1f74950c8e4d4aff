import { CropCache } from '../../batches/crop-cache.ts';
import { EvaluationCrops } from '../../batches/evaluation-crops.ts';
import { ImagePool } from '../../batches/image-pool.ts';
import { AbortedError, RunError } from '../../core/errors.ts';
import { timed, type Track } from '../../core/profile.ts';
import { Engine } from '../../runtime/engine.ts';
import type { EngineChoices } from '../../train/engine-choices.ts';
import type { Preprocessing } from '../../models/preprocessing.ts';
import type { RunFolder } from '../../train/run-folder.ts';
import { engineChoices, type ChoicesRequest } from './engine-choices.ts';
import type { JobProfile } from './job-profile.ts';
import type { OpenedNetwork } from '../networks/opened-network.ts';
import type { TrainControl } from '../train-control.ts';
import type { ResolvedTrainOptions } from '../train-options.ts';
import type { Workshop } from './workshop.ts';

/** Starts the engine that the options ask for, and ends it. */
export async function withEngine<T>(
  options: Pick<ResolvedTrainOptions, 'device' | 'threads'>,
  control: TrainControl,
  track: Track | undefined,
  use: (engine: Engine) => Promise<T>,
): Promise<T> {
  const start = (): Promise<Engine> =>
    Engine.start({
      device: options.device,
      ...(options.threads !== undefined && { threads: options.threads }),
      profiled: track !== undefined,
    });
  await using engine = await timed(track, 'start the engine', start);
  if (engine.deviceNote !== undefined) control.onProgress?.({ type: 'note', message: engine.deviceNote });
  // Awaited here: the engine is disposed on the way out.
  return await use(engine);
}

/**
 * Works on a run in what all its stages share, and closes the run: as finished, or so that it can be taken up again.
 * @throws AbortedError, RunError whose message says how to go on
 */
export function inWorkshop<T>(
  run: RunFolder,
  engine: Engine,
  opened: OpenedNetwork,
  job: ChoicesRequest,
  { command, profile }: { readonly command: string; readonly profile?: JobProfile | undefined },
  use: (workshop: Workshop) => Promise<T>,
): Promise<T> {
  const { options, control } = job;
  const { preprocessing } = opened;
  const how = { command, profile, control, preprocessing, maxPixels: options.maxPixels * 1e6 };
  return onRun(run, engine, how, () => engineChoices(run, engine, opened, job), use);
}

export interface RunWork {
  /** By which the run is taken up again: `train`. */
  readonly command: string;
  readonly control: TrainControl;
  /** Of the network whose images are made. */
  readonly preprocessing: Preprocessing;
  readonly maxPixels: number;
  readonly profile?: JobProfile | undefined;
}

/** As `inWorkshop`, with choices of the engine that are opened some other way. */
export async function onRun<T>(
  run: RunFolder,
  engine: Engine,
  { command, control, preprocessing, maxPixels, profile }: RunWork,
  openChoices: () => Promise<EngineChoices>,
  use: (workshop: Workshop) => Promise<T>,
): Promise<T> {
  let pool: ImagePool | undefined;
  try {
    const track = profile?.job;
    const choices = await timed(track, 'engine choices', openChoices);
    const poolOptions = { maxPixels, track: profile?.batches };
    pool = await timed(track, 'start decoding threads', () => ImagePool.start(preprocessing, poolOptions));
    const result = await use({
      engine,
      choices,
      pool,
      crops: new EvaluationCrops(pool, new CropCache(preprocessing)),
      record: (event) => run.append(event),
      onProgress: control.onProgress,
      signal: control.signal,
      track,
      writing: profile?.writing,
    });
    await profile?.finish(run, engine, pool, control.onProgress);
    await run.finish();
    return result;
  } catch (error) {
    await profile?.finish(run, engine, pool, control.onProgress);
    await run.close();
    const next = `Continue with: gleaner ${command} --resume ${run.path}`;
    if (error instanceof AbortedError) throw new AbortedError(`${error.message} ${next}`, { cause: error });
    if (error instanceof RunError) throw new RunError(`${error.message} ${next}`, { cause: error });
    throw error;
  } finally {
    await pool?.dispose();
  }
}
