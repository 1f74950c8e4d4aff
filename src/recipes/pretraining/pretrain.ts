import { writeFileAtomic } from '../../core/atomic-file.ts';
import { packageVersion } from '../../core/package-version.ts';
import { toFeatureMetadata } from '../../models/description.ts';
import { writeModel } from '../../onnx/write.ts';
import type { Engine } from '../../runtime/engine.ts';
import { EngineChoices } from '../../train/engine-choices.ts';
import { readEvents } from '../../train/events.ts';
import { RunFolder } from '../../train/run-folder.ts';
import { checkTeachers } from '../distillation/check-teachers.ts';
import type { Teacher } from '../distillation/teacher.ts';
import { onRun, withEngine } from '../workshop/in-workshop.ts';
import { newRunFolder } from '../workshop/new-run-folder.ts';
import { describeSizes } from '../training/smaller-images.ts';
import { Stages } from '../stages.ts';
import type { TrainControl } from '../train-control.ts';
import { openExtractor, type StartingExtractor } from './extractor.ts';
import { openFeatureTeacher } from './feature-teacher.ts';
import { readPretrainingData, type PretrainingData } from './pretraining-data.ts';
import {
  resolvePretrainOptions,
  withAbsoluteFiles,
  type PretrainOptions,
  type ResolvedPretrainOptions,
} from './pretrain-options.ts';
import { epochsOf, trainExtractor } from './train-extractor.ts';

export interface PretrainResult {
  /** Folder of the run. */
  readonly run: string;
  /** A feature extractor, to be given to `train` as its backbone. */
  readonly backbone: string;
  /** Images that were learnt from. */
  readonly images: number;
  /**
   * Mean loss of the last epoch: of SimSiam -1 (views of an image always agree) to 1; with a teacher 1 less the mean cosine,
   * 0 (its features, but for their length) to 2.
   */
  readonly loss: number;
  /** How far projections of different images differ at the end: about 1 where they do, 0 where training has collapsed; null with a teacher. */
  readonly spread: number | null;
  /** Mean cosine between what the network makes of the teacher's features and these, on images held out, -1..1; null without a teacher. */
  readonly similarity: number | null;
  /** The same before training: near 0. */
  readonly similarityBefore: number | null;
  readonly seconds: number;
}

/**
 * Pretrains a network on images without looking at labels, from random weights or on a backbone, and writes a feature extractor
 * that `train` takes as its backbone: by SimSiam (Chen and He 2021, arXiv:2011.10566), or, with a teacher, by learning its features
 * (Romero et al. 2015, arXiv:1412.6550, stage 1, of the last features alone). All images of the data train it but those of val
 * and test, unlabelled copies of these, and with a teacher a tenth on which both are compared.
 * @throws InputError for bad options or data; AbortedError once what was trained is saved; RunError for a fault.
 * @example
 * const { backbone } = await pretrain({ data: 'photos', model: 'cifar_resnet20' });
 * await train({ data: 'photos', backbone });
 */
export function pretrain(options: PretrainOptions, control: TrainControl = {}): Promise<PretrainResult> {
  const resolved = resolvePretrainOptions(options);
  return withEngine(resolved, control, undefined, async (engine) => {
    const job = await openJob(resolved, control);
    const { data, teacher } = job;
    const run = await RunFolder.create(resolved.out ?? newRunFolder(), {
      dataFingerprint: data.dataset.fingerprint,
      gleaner: packageVersion(),
      method: 'pretrain',
      options: withAbsoluteFiles(resolved),
      teachers: teacher === undefined ? [] : [teacher.sha256],
    });
    return work(run, engine, job);
  });
}

/**
 * Continues a pretraining that was interrupted; it ends with the same bytes as one that never was.
 * @throws InputError where there is no such run, it has finished, or data, teacher or engine changed.
 */
export async function resumePretraining(folder: string, control: TrainControl = {}): Promise<PretrainResult> {
  const run = await RunFolder.resume(folder);
  try {
    const options = resolvePretrainOptions(run.config['options'], `config.json of ${folder}`);
    return await withEngine(options, control, undefined, async (engine) => {
      const job = await openJob(options, control);
      run.checkData(job.data.dataset.fingerprint, false);
      checkTeachers(run, job.teacher === undefined ? [] : [job.teacher]);
      return work(run, engine, job);
    });
  } finally {
    await run.close();
  }
}

interface Job {
  readonly options: ResolvedPretrainOptions;
  readonly data: PretrainingData;
  readonly extractor: StartingExtractor;
  readonly teacher: Teacher | undefined;
  readonly control: TrainControl;
}

async function openJob(options: ResolvedPretrainOptions, control: TrainControl): Promise<Job> {
  const { teacher: spec, teacherInput } = options;
  const teacher = spec === undefined ? undefined : await openFeatureTeacher(spec, teacherInput, control);
  const data = await readPretrainingData(options, control);
  const extractor = await openExtractor(options, data.samples, control);
  const network = { ...extractor, logits: extractor.embedding, head: [] };
  const sizes = describeSizes(network, epochsOf(options, extractor, data), options);
  if (sizes !== undefined) control.onProgress?.({ type: 'note', message: sizes });
  return { options, data, extractor, teacher, control };
}

function work(run: RunFolder, engine: Engine, job: Job): Promise<PretrainResult> {
  const { options, extractor, data, control } = job;
  const started = performance.now();
  const { preprocessing } = extractor;
  const how = { command: 'pretrain', control, preprocessing, maxPixels: options.maxPixels * 1e6 };
  const openChoices = (): Promise<EngineChoices> =>
    EngineChoices.open(engine, {
      file: run.file('engine.json'),
      gleaner: packageVersion(),
      ...(options.engine !== undefined && { reuse: options.engine }),
    });
  return onRun(run, engine, how, openChoices, async (workshop) => {
    const stages = new Stages(run, control);
    const graph = await stages.run('pretrain', (folder) => trainExtractor(workshop, { ...job, folder }));
    const provenance = {
      gleaner: packageVersion(),
      method: 'pretrain',
      seed: options.seed,
      data: data.dataset.fingerprint,
    };
    const metadata = toFeatureMetadata(preprocessing, provenance);
    const backbone = run.file('backbone.onnx');
    await writeFileAtomic(backbone, writeModel({ graph, metadata }));
    const events = await readEvents(run.file('events.jsonl'));
    const last = (kind: string, key: string): number | null =>
      (events.findLast(({ type }) => type === kind)?.[key] as number | undefined) ?? null;
    return {
      run: run.path,
      backbone,
      images: data.samples.length,
      loss: last('epoch', 'loss')!,
      spread: last('spread', 'spread'),
      similarity: last('similarity', 'after'),
      similarityBefore: last('similarity', 'before'),
      seconds: (performance.now() - started) / 1000,
    };
  });
}
