import { varies } from '../../augment/policy.ts';
import { InputError } from '../../core/errors.ts';
import { packageVersion } from '../../core/package-version.ts';
import type { TrainControl } from '../train-control.ts';
import type { Engine } from '../../runtime/engine.ts';
import { RunFolder } from '../../train/run-folder.ts';
import type { Agreement } from './agreement.ts';
import { arrangeUnlabelled, comparedOnScore, withoutLabels, type TaughtData } from './arrange-unlabelled.ts';
import { compareWithTeacher } from './compare-with-teacher.ts';
import { checkTeachers } from './check-teachers.ts';
import { classesOfTable, readClassTable } from './class-mapping.ts';
import {
  isOwnAverage,
  resolveDistillOptions,
  withAbsoluteTeacher,
  type DistillOptions,
  type ResolvedDistillOptions,
} from './distill-options.ts';
import { finishRun, type RunResult } from '../results/finish-run.ts';
import { finishUnscored } from './finish-unscored.ts';
import { inWorkshop, withEngine } from '../workshop/in-workshop.ts';
import { JobProfile } from '../workshop/job-profile.ts';
import { planLesson, type Lesson } from './lesson.ts';
import { methodOf } from '../method.ts';
import type { Network } from '../networks/network.ts';
import { newRunFolder } from '../workshop/new-run-folder.ts';
import { openNetwork } from '../networks/open-network.ts';
import type { OpenedNetwork } from '../networks/opened-network.ts';
import { arrangeData, readData, type LabelledSample } from '../prepare-data.ts';
import { searchTemperature } from './search-temperature.ts';
import { Stages } from '../stages.ts';
import { openTeacher, type Teacher } from './teacher.ts';
import { teacherAnswers } from './teacher-answers.ts';
import type { ResumeControl } from '../train-control.ts';
import { trainNetwork } from '../training/train-network.ts';
import { withAbsolutePaths } from '../train-options.ts';
import { planTraining } from '../training/training-plan.ts';
import type { Workshop } from '../workshop/workshop.ts';

/** Of a run without labels to score on, `accuracy`, `interval` and `scoredOn` are null; of one whose teacher has other classes, what is compared. */
export type DistillResult = Pick<RunResult, 'run' | 'model' | 'report' | 'seconds'> & {
  readonly accuracy: number | null;
  readonly interval: RunResult['interval'] | null;
  /** Images it was scored on; 0 without labels. */
  readonly n: number;
  readonly scoredOn: string | null;
  readonly agreement: number | null;
  readonly agreementInterval: Agreement['agreementInterval'] | null;
  /** Mean of KL(teacher || student) at T = 1, in nats. */
  readonly kl: number | null;
  /** Images that student and teacher were compared on, and which these are. */
  readonly compared: number;
  readonly comparedOn: string;
};

/**
 * Trains a student to say what a teacher says, with and without labels, and writes a run as `train` does. Without any label the
 * student has the teacher's classes, and what is told is how far both agree on held-out images.
 * @throws InputError for bad options, data, or a teacher that does not fit; AbortedError once what was trained is saved
 * @example
 * const { agreement, accuracy } = await distill({ data: 'photos', teacher: ['runs/large/model.onnx'], student: 'mobilenetv2_050' });
 */
export async function distill(options: DistillOptions, control: TrainControl = {}): Promise<DistillResult> {
  const resolved = resolveDistillOptions(options);
  const { train, teaching } = resolved;
  const profile = train.profile ? new JobProfile() : undefined;
  return withEngine(train, control, profile?.job, async (engine) => {
    const opened = await openAll(resolved, control);
    // Nothing is written before data, teacher and student are known to be good.
    const run = await RunFolder.create(train.out ?? newRunFolder(), {
      dataFingerprint: opened.data.dataset.fingerprint,
      gleaner: packageVersion(),
      method: 'distill',
      options: withAbsolutePaths(train),
      teaching: withAbsoluteTeacher(teaching),
      teachers: opened.lesson.teachers.map(({ sha256 }) => sha256),
    });
    return work(run, engine, opened, { options: resolved, control, acceptEngine: false, profile });
  });
}

/**
 * Continues a distillation that was interrupted; it ends with the same bytes as one that never was.
 * @throws InputError where there is no such run, it has finished, or data, teacher or engine changed and that was not accepted
 */
export async function resumeDistillation(folder: string, control: ResumeControl = {}): Promise<DistillResult> {
  const run = await RunFolder.resume(folder);
  try {
    const { options, teaching } = run.config as unknown as Record<'options' | 'teaching', object | undefined>;
    if (teaching === undefined)
      throw new InputError(
        `The run in ${folder} is no distillation; continue it with: gleaner train --resume ${folder}`,
      );
    // It stands in both: `model` is what `student` is called to training.
    const { model: _, ...train } = options as { readonly model?: string };
    const resolved = resolveDistillOptions({ ...train, ...teaching }, `config.json of ${folder}`);
    const profile = (control.profile ?? resolved.train.profile) ? new JobProfile() : undefined;
    return await withEngine(resolved.train, control, profile?.job, async (engine) => {
      const opened = await openAll(resolved, control);
      run.checkData(opened.data.dataset.fingerprint, control.acceptDataChange ?? false);
      checkTeachers(run, opened.lesson.teachers);
      const acceptEngine = control.acceptEngine ?? false;
      return work(run, engine, opened, { options: resolved, control, acceptEngine, profile });
    });
  } finally {
    // Where it did not end by itself.
    await run.close();
  }
}

interface Opened {
  readonly data: TaughtData;
  readonly hasLabels: boolean;
  readonly student: OpenedNetwork;
  readonly lesson: Lesson;
}

async function openAll({ train, teaching }: ResolvedDistillOptions, control: TrainControl): Promise<Opened> {
  const note = (message: string): void => control.onProgress?.({ type: 'note', message });
  const table = teaching.map === undefined ? undefined : await readClassTable(teaching.map);
  const flags = Object.fromEntries(Object.entries(teaching.teacherInput).filter(([, value]) => value !== undefined));
  const teachers: Teacher[] = [];
  for (const spec of isOwnAverage(teaching) ? [] : teaching.teacher)
    teachers.push(await openTeacher(spec, { flags, classesFile: teaching.teacherClasses }, control));
  const all = await readData(train, control, { useUnlabeled: true, labelsOptional: true });
  const read = teaching.ignoreLabels ? withoutLabels(all) : all;
  const hasLabels = read.dataset.samples.some(({ split, label }) => split === 'train' && label !== undefined);
  if (!hasLabels && teachers.length === 0)
    throw new InputError(
      `The average of a student's own weights knows what labels taught the student, and no image of train in ${train.data} has one: give another teacher.`,
    );
  const data = hasLabels
    ? comparedOnScore(arrangeData(read, train, control))
    : arrangeUnlabelled(read, table === undefined ? teachers[0]!.classes : classesOfTable(table), train.seed);
  const method = methodOf(train) as 'finetune' | 'scratch';
  const plan = planTraining(train, method, data.train.length + data.unlabeled.length);
  const isVaried = varies(plan.augment);
  const lesson = planLesson({ teachers, classes: data.classes, hasLabels, options: teaching, table, isVaried });
  if (!hasLabels)
    note(
      `No label is used: the student learns the ${data.classes.length} classes of the teacher from its answers on ${data.unlabeled.length} images` +
        `${teaching.alpha === undefined ? '' : '; "alpha" has no effect'}. Both are compared on ${data.comparedOn}.`,
    );
  else if (data.unlabeled.length > 0)
    note(`Of ${data.unlabeled.length} images without a label the student learns what the teacher says.`);
  note(lesson.lines.join('\n'));
  return { data, hasLabels, lesson, student: await openNetwork(train, method, data, control) };
}

interface Job {
  readonly options: ResolvedDistillOptions;
  readonly control: TrainControl;
  readonly acceptEngine: boolean;
  readonly profile: JobProfile | undefined;
}

function work(run: RunFolder, engine: Engine, opened: Opened, job: Job): Promise<DistillResult> {
  const started = performance.now();
  const { data, lesson, student } = opened;
  const { control, profile, acceptEngine } = job;
  const options = job.options.train;
  const request = { options, data, control, acceptEngine };
  return inWorkshop(run, engine, student, request, { command: 'distill', profile }, async (workshop) => {
    const stages = new Stages(run, control, profile?.job);
    const { lines, mappings } = lesson;
    run.append({ type: 'lesson', lines, mappings: mappings ?? null });
    const method = methodOf(options) as 'finetune' | 'scratch';
    const start = (samples: readonly LabelledSample[], folder: string): Promise<Network> =>
      beginning(workshop, opened, options.maxPixels * 1e6, samples, folder);
    const found = job.options.teaching.searchTemperature
      ? await stages.run('search', (folder) =>
          searchTemperature(run, workshop, { lesson, data, options, method, start, folder }),
        )
      : undefined;
    const teaching = lesson.teaching(found);
    const trained = await trainNetwork(workshop, stages, options, method, data, start, teaching);
    const agreement = await compareWithTeacher(
      workshop,
      lesson,
      trained.network,
      data.compared,
      options.maxPixels * 1e6,
    );
    const taughtBy = {
      lines: found === undefined ? lines : [...lines, found.line],
      ...(agreement && { agreement: { ...agreement, comparedOn: data.comparedOn } }),
    };
    const { source } = student;
    const finish = { ...trained, data, options, method: 'distill', source, taughtBy, started };
    const compare = {
      agreement: agreement?.agreement ?? null,
      agreementInterval: agreement?.agreementInterval ?? null,
      kl: agreement?.kl ?? null,
      compared: agreement?.compared ?? 0,
      comparedOn: data.comparedOn,
    };
    if (data.score.length > 0) return { ...(await finishRun(run, workshop, finish)), ...compare };
    const unscored = await finishUnscored(run, workshop, finish);
    return { ...unscored, accuracy: null, interval: null, n: 0, scoredOn: null, ...compare };
  });
}

/**
 * What a student starts from: as any training does, or, on a backbone without a label, with a head fitted to the teacher's most
 * probable classes.
 */
async function beginning(
  workshop: Workshop,
  { data, lesson, student }: Opened,
  maxPixels: number,
  samples: readonly LabelledSample[],
  folder: string,
): Promise<Network> {
  if (samples.length > 0 || student.source.sha256 === undefined) return student.begin(workshop, samples, folder);
  const { question } = lesson.teaching();
  const { answer } = await teacherAnswers(workshop, lesson.teachers, question, data.unlabeled, maxPixels);
  const [, width] = answer.shape as [number, number];
  const taught = lesson.mappings![0]!.taught;
  const labelled = data.unlabeled.map((sample, row): LabelledSample => {
    const logits = (answer.data as Float32Array).subarray(row * width, (row + 1) * width);
    return { ...sample, label: taught[logits.indexOf(Math.max(...logits))]!.student };
  });
  return student.begin(workshop, labelled, folder);
}
