import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { z } from 'zod';
import { InputError } from '../../core/errors.ts';
import { parseOptions } from '../parse-options.ts';
import {
  resolveTrainOptions,
  withAbsolutePaths,
  type ResolvedTrainOptions,
  type TrainOptions,
} from '../train-options.ts';

const ownSchema = z.strictObject({
  /** Exported models that label the images; default: a teacher is trained from the labels first. */
  teacher: z.array(z.string()).default([]),
  /**
   * How that teacher is made; `propagation` spreads labels among images alike, in the features of the backbone or, without one,
   * in their gradients. Default: `probe` with a backbone; else `propagation` where that is often right, and `scratch`.
   */
  firstTeacher: z.enum(['probe', 'finetune', 'scratch', 'propagation']).optional(),
  /** Backbones whose probes are the first teacher, by the mean of what they say, in place of the student's own. */
  teacherBackbones: z.array(z.string()).default([]),
  /** The student's network: a built-in name or a file, with `@SIDE` for another input side. Default: the teacher's. */
  student: z.string().optional(),
  /** Networks of the students by round, with commas, or one from which its family is gone up. */
  grow: z.string().optional(),
  /** What a student starts from: its teacher, where that is of the same network and was a student too, or as training does. */
  start: z.enum(['teacher', 'fresh']).default('teacher'),
  /** At most. */
  rounds: z.int().min(1).max(20).default(3),
  /** A network that the last teacher is distilled to, as `student`. */
  final: z.string().optional(),
  /** T of that distillation: KL of what both say, softened by it, beside the labels. Default 2. */
  finalTemperature: z.number().positive().optional(),

  /** What labels come from. */
  source: z.enum(['teacher', 'propagation', 'both']).default('teacher'),
  /** Views of an image that the teacher's answer is the mean of. */
  views: z.int().min(1).max(16).default(1),
  labels: z.enum(['hard', 'soft', 'sharpened']).default('sharpened'),
  /** Of sharpened labels: p^(1/T). */
  sharpening: z.number().positive().max(1).optional(),
  /** Which labels are used (`THRESHOLD_FORMS`). */
  threshold: z.string().default('none'),
  balance: z.enum(['none', 'cap', 'resample']).default('none'),
  adjust: z.enum(['none', 'align', 'logit', 'crest']).default('none'),
  /** What is done with images that look like none of the classes. */
  outliers: z.enum(['set-aside', 'keep']).default('set-aside'),

  /** Of students, as that of training. Default 0.1 where there are residual branches. */
  stochasticDepth: z.number().min(0).lt(1).optional(),
  /** Of the images of every batch. */
  labelledShare: z.number().gt(0).lt(1).default(0.25),
  /** Images of an epoch, at most. */
  epochImages: z.int().min(1).default(1000),
});

/** Options of training that mean nothing where students are trained by rounds. */
const WITHOUT_EFFECT = ['method', 'blend', 'consistency', 'patience', 'profile'] as const;

/** What `selfTrain` and `pseudoLabel` can be told. */
export type SelfTrainOptions = z.input<typeof ownSchema> &
  Omit<TrainOptions, (typeof WITHOUT_EFFECT)[number] | keyof z.input<typeof ownSchema>>;

export interface ResolvedSelfTrainOptions extends z.output<typeof ownSchema> {
  /** Of all networks. */
  readonly train: ResolvedTrainOptions;
}

/** @throws InputError for an option that is unknown, out of range, or has no effect here */
export function resolveSelfTrainOptions(options: SelfTrainOptions): ResolvedSelfTrainOptions {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const isOwn = (name: string): boolean => Object.hasOwn(ownSchema.shape, name);
  const own = parseOptions(
    ownSchema,
    Object.fromEntries(given.filter(([name]) => isOwn(name))),
    'options of self-training',
  );
  const ignored = given.filter(([name]) => WITHOUT_EFFECT.some((other) => other === name)).map(([name]) => `"${name}"`);
  if (ignored.length > 0)
    throw new InputError(`${ignored.join(', ')} would have no effect on self-training; leave it out.`);
  const train = resolveTrainOptions(
    Object.fromEntries(given.filter(([name]) => !isOwn(name))),
    'options of self-training',
  );
  checkTogether(own, train);
  return { ...own, train };
}

/** For `config.json`: those of training as every run has them, and its own beside them. The run may be continued from another folder. */
export function recordedOptions({ train, ...own }: ResolvedSelfTrainOptions): {
  readonly options: ResolvedTrainOptions;
  readonly selfTraining: object;
} {
  return {
    options: withAbsolutePaths(train),
    selfTraining: {
      ...own,
      teacher: own.teacher.map((file) => resolve(file)),
      teacherBackbones: own.teacherBackbones.map((spec) => (existsSync(spec) ? resolve(spec) : spec)),
    },
  };
}

/** @throws InputError where `config.json` holds other options */
export function optionsFromRun({ options, selfTraining }: Readonly<Record<string, unknown>>): ResolvedSelfTrainOptions {
  const where = 'config.json of the run';
  return { ...parseOptions(ownSchema, selfTraining, where), train: resolveTrainOptions(options, where) };
}

/** @throws InputError for a run of self-training, where only one of `train` will do */
export function refuseSelfTraining(config: Readonly<Record<string, unknown>>, run: string, what: string): void {
  if (config['selfTraining'] !== undefined)
    throw new InputError(`${run} is a run of ${String(config['method'])}: ${what}.`);
}

function checkTogether(own: z.output<typeof ownSchema>, train: ResolvedTrainOptions): void {
  const {
    teacher,
    teacherBackbones,
    firstTeacher,
    student,
    grow,
    sharpening,
    labels,
    source,
    final,
    finalTemperature,
  } = own;
  if (finalTemperature !== undefined && final === undefined)
    throw new InputError('"finalTemperature" is that of the distillation to "final", which is missing.');
  if (student !== undefined && grow !== undefined)
    throw new InputError('Give "student" or "grow", not both: each says what the students are.');
  if (train.backbone !== undefined && train.model !== undefined)
    throw new InputError('Give --backbone or --model, not both: --model trains from scratch.');
  if (train.gradients && train.backbone === undefined)
    throw new InputError('--gradients joins features to those of a backbone: --backbone FILE, URL or hf:owner/repo.');
  if (
    teacherBackbones.length > 0 &&
    (teacher.length > 0 || source !== 'teacher' || (firstTeacher ?? 'probe') !== 'probe')
  )
    throw new InputError(
      '"teacherBackbones" are the first teacher by their probes: leave "teacher" and "source" out, and "firstTeacher" but for "probe".',
    );
  if (teacher.length > 0 && firstTeacher !== undefined)
    throw new InputError('"firstTeacher" has no effect where a teacher is given.');
  if (teacher.length > 0 && source !== 'teacher')
    throw new InputError(`Labels from "${source}" need the features of a network that is trained here, not a file.`);
  if (
    firstTeacher !== undefined &&
    firstTeacher !== 'propagation' &&
    (firstTeacher === 'scratch') !== (train.backbone === undefined)
  )
    throw new InputError(
      firstTeacher === 'scratch'
        ? 'A first teacher from scratch has no backbone.'
        : `A first teacher by "${firstTeacher}" needs a pretrained network: --backbone FILE, URL or hf:owner/repo.`,
    );
  if (sharpening !== undefined && labels !== 'sharpened')
    throw new InputError('"sharpening" has an effect on sharpened labels alone.');
}
