import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { writeFileAtomic } from '../../core/atomic-file.ts';
import { packageVersion } from '../../core/package-version.ts';
import type { Engine } from '../../runtime/engine.ts';
import { readEvents } from '../../train/events.ts';
import { RunFolder } from '../../train/run-folder.ts';
import { inWorkshop, withEngine } from '../workshop/in-workshop.ts';
import { methodOf } from '../method.ts';
import { newRunFolder } from '../workshop/new-run-folder.ts';
import type { Network } from '../networks/network.ts';
import { openNetwork } from '../networks/open-network.ts';
import type { OpenedNetwork } from '../networks/opened-network.ts';
import { PolicyTrials } from './policy-trials.ts';
import { prepareData, type LabelledSample, type TrainingData } from '../prepare-data.ts';
import { probeSafety, type Safety } from './probe-safety.ts';
import {
  resolveSearchOptions,
  type PolicySearchOptions,
  type ResolvedSearchOptions,
  type SafetyOptions,
} from './search-options.ts';
import { searchParts, searchPolicy, startEpochs, type PolicyEvidence, type SearchParts } from './search-policy.ts';
import type { TrainControl } from '../train-control.ts';
import { withAbsolutePaths } from '../train-options.ts';
import { defaultCrop, planTraining } from '../training/training-plan.ts';
import type { Workshop } from '../workshop/workshop.ts';

export interface PolicySearchResult extends PolicyEvidence {
  /** The folder of the search, with every trial. */
  readonly run: string;
}

export interface SafetyResult extends Safety {
  readonly run: string;
  readonly classes: readonly string[];
}

/**
 * Searches the augmentation policy for a data set on its labelled training images alone and says, from images that the
 * search did not see, what it gains. `policy.json` in the search's folder holds what is returned.
 * @throws InputError for bad options or data; AbortedError once what was found is saved
 * @example
 * const { policy, gain } = await searchAugmentation({ data: 'photos', backbone: 'mobilenet_v2.onnx', minutes: 30 });
 */
export function searchAugmentation(
  options: PolicySearchOptions,
  control: TrainControl = {},
): Promise<PolicySearchResult> {
  return started(options, control, 'search', (job) => search(job));
}

/** Continues a search that was interrupted: trials that are done are not done again. @throws as `searchAugmentation` */
export function resumeSearch(folder: string, control: TrainControl = {}): Promise<PolicySearchResult> {
  return resumed(folder, control, 'search', (job) => search(job));
}

/**
 * Tries on held-out images which operations a data set bears, for each class.
 * @throws InputError for bad options or data
 */
export function probeAugmentation(options: SafetyOptions, control: TrainControl = {}): Promise<SafetyResult> {
  return started(options, control, 'safety', async (job) => {
    const { safety } = await safetyOf(job);
    await writeFileAtomic(job.run.file('safety.json'), `${JSON.stringify(safety, undefined, 2)}\n`);
    return { ...safety, classes: job.data.classes, run: job.run.path };
  });
}

type Kind = 'search' | 'safety';

interface Job {
  readonly run: RunFolder;
  readonly workshop: Workshop;
  readonly options: ResolvedSearchOptions;
  readonly data: TrainingData;
  readonly parts: SearchParts;
  readonly trials: PolicyTrials;
  readonly crop: string;
  readonly epochs: number;
}

function started<T>(
  given: PolicySearchOptions,
  control: TrainControl,
  kind: Kind,
  work: (job: Job) => Promise<T>,
): Promise<T> {
  const options = resolveSearchOptions(given);
  return withEngine(options.train, control, undefined, async (engine) => {
    const { data, opened, parts } = await openAll(options, control);
    const run = await RunFolder.create(options.train.out ?? newRunFolder(), {
      dataFingerprint: data.dataset.fingerprint,
      gleaner: packageVersion(),
      method: `augment-${kind}`,
      options: { ...options, train: withAbsolutePaths(options.train) },
    });
    return atWork(run, engine, options, data, opened, parts, control, kind, work);
  });
}

async function resumed<T>(
  folder: string,
  control: TrainControl,
  kind: Kind,
  work: (job: Job) => Promise<T>,
): Promise<T> {
  const run = await RunFolder.resume(resolve(folder));
  try {
    const { train, ...rest } = run.config['options'] as ResolvedSearchOptions;
    const options = resolveSearchOptions({ ...train, ...rest } as PolicySearchOptions);
    return await withEngine(options.train, control, undefined, async (engine) => {
      const { data, opened, parts } = await openAll(options, control);
      run.checkData(data.dataset.fingerprint, false);
      return atWork(run, engine, options, data, opened, parts, control, kind, work);
    });
  } finally {
    await run.close();
  }
}

async function openAll(
  { train }: ResolvedSearchOptions,
  control: TrainControl,
): Promise<{ data: TrainingData; opened: OpenedNetwork; parts: SearchParts }> {
  const data = await prepareData(train, control);
  const parts = searchParts(data, train.seed);
  return { data, parts, opened: await openNetwork(train, methodOf(train), data, control) };
}

function atWork<T>(
  run: RunFolder,
  engine: Engine,
  options: ResolvedSearchOptions,
  data: TrainingData,
  opened: OpenedNetwork,
  parts: SearchParts,
  control: TrainControl,
  kind: Kind,
  work: (job: Job) => Promise<T>,
): Promise<T> {
  const request = { options: options.train, data, control, acceptEngine: false };
  return inWorkshop(run, engine, opened, request, { command: `augment ${kind}` }, async (workshop) => {
    const method = methodOf(options.train) as 'finetune' | 'scratch';
    const plan = planTraining(options.train, method, parts.search.length);
    const heads = await run.stage(1, 'heads');
    const trials = new PolicyTrials({
      workshop,
      plan,
      options: options.train,
      classes: data.classes,
      folder: await run.stage(2, 'trials'),
      async begin(samples: readonly LabelledSample[], part: string) {
        const folder = join(heads, part);
        await mkdir(folder, { recursive: true });
        return opened.begin(workshop, samples, folder);
      },
      events: await readEvents(run.file('events.jsonl')),
    });
    const crop = defaultCrop(options.train, method);
    return work({ run, workshop, options, data, parts, trials, crop, epochs: plan.epochs });
  });
}

/** Tried once a run. */
async function safetyOf(job: Job): Promise<{ safety: Safety; seconds: number }> {
  const { run, workshop, options, data, parts, trials } = job;
  const known = (await readEvents(run.file('events.jsonl'))).find(({ type }) => type === 'safety');
  if (known !== undefined) return known as unknown as { safety: Safety; seconds: number };
  const start = performance.now();
  const { seed } = options.train;
  const safety = await probeSafety(workshop, {
    classes: data.classes,
    folds: parts.folds,
    // A head on the backbone's features tells classes apart; from scratch a network has to be trained first.
    networkOf: (fold, i) => (isScratch(job) ? trainedOn(job, i) : trials.begin(fold.train, `fold-${i + 1}`)),
    seed,
    images: options.images,
  });
  const seconds = (performance.now() - start) / 1000;
  workshop.record({ type: 'safety', safety, seconds });
  return { safety, seconds };
}

const isScratch = ({ options }: Job): boolean => methodOf(options.train) === 'scratch';

/** A network from random weights, trained on a fold with crops alone; once a run. */
function trainedOn({ parts, trials, crop, epochs, options }: Job, i: number): Promise<Network> {
  const fold = { ...parts.folds[i]!, part: `fold-${i + 1}` };
  return trials.network({ ...fold, policy: crop, epochs: startEpochs(epochs), seed: options.train.seed });
}

async function search(job: Job): Promise<PolicySearchResult> {
  const { run, workshop, options, parts, trials, crop, epochs } = job;
  const { safety, seconds: safetySeconds } = await safetyOf(job);
  const seconds = options.minutes * 60;
  const starts = new Map<number, Promise<Network>>();
  const startOf = (fold: number): Promise<Network> => {
    const start = starts.get(fold) ?? trainedOn(job, fold);
    starts.set(fold, start);
    return start;
  };
  const evidence = await searchPolicy(trials, {
    parts,
    safety,
    safetySeconds,
    allow: options.allow,
    deny: options.deny,
    crop,
    epochs,
    startOf: isScratch(job) ? startOf : undefined,
    seed: options.train.seed,
    seconds,
    onTrial: (found) =>
      workshop.onProgress?.({
        type: 'step',
        stage: 'search',
        done: Math.round(Math.min(seconds, safetySeconds + trials.seconds)),
        total: Math.round(seconds),
        unit: 'seconds',
        ...(found !== undefined && { found }),
      }),
  });
  const result = { ...evidence, run: run.path };
  await writeFileAtomic(run.file('policy.json'), `${JSON.stringify(result, undefined, 2)}\n`);
  return result;
}
