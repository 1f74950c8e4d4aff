import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { z } from 'zod';
import { mixes } from '../../augment/policy.ts';
import { InputError } from '../../core/errors.ts';
import { ANSWER_LOSSES, FEATURE_LOSSES } from '../../train/distillation-objective.ts';
import { methodOf } from '../method.ts';
import { parseOptions } from '../parse-options.ts';
import { planTraining } from '../training/training-plan.ts';
import {
  resolveTrainOptions,
  trainOptionsSchema,
  type ResolvedTrainOptions,
  type TrainOptions,
} from '../train-options.ts';

const { inputSize, mean, std, channels, interpolation, cropFraction, layout, embedding, logits } =
  trainOptionsSchema.shape;

/** In the place of a teacher's file: the moving average of the student's own weights. */
export const OWN_AVERAGE = 'ema';

/** Whether the student is taught by its own average, and no teacher is opened. */
export function isOwnAverage({ teacher }: Pick<TeachingOptions, 'teacher'>): boolean {
  return teacher.length === 1 && teacher[0] === OWN_AVERAGE;
}

/** What `distill` takes beside the options of training. */
export const teachingOptionsSchema = z.strictObject({
  /** Files, URLs or `hf:owner/repo[/file]` of classifiers, of several the mean of their probabilities at T counts; or `ema` alone. */
  teacher: z.array(z.string().min(1)).min(1),
  /** Names of the classes of a teacher that has none, one a line. */
  teacherClasses: z.string().optional(),
  /** How teachers want their images, where they don't declare it. */
  teacherInput: z
    .strictObject({ inputSize, mean, std, channels, interpolation, cropFraction, layout, embedding, logits })
    .default({}),
  /** Built-in network to train as the student, from scratch; `backbone` names a pretrained one. */
  student: z.string().optional(),
  /** A table of the teacher's classes and the student's that they stand for (CSV). */
  map: z.string().optional(),
  /** Takes no label of train and val: folders are no classes then. */
  ignoreLabels: z.boolean().default(false),
  /** T: what logits are divided by before they are compared. Default 4; `dist`: 1, as its paper has it. */
  temperature: z.number().positive().optional(),
  /** What the teacher counts for beside labels, 0..1. Default 0.9; 0.5 where the student gets a second head, or is its own teacher. */
  alpha: z.number().min(0).max(1).optional(),
  /** How answers are compared. */
  loss: z.enum(ANSWER_LOSSES).default('kd'),
  /** Learns the teacher's most probable class and not its distribution. */
  hard: z.boolean().default(false),
  /** What else of the two networks is compared. */
  features: z.enum(FEATURE_LOSSES).optional(),
  /** What `features` counts for. Default: as the loss' paper has it. */
  featureWeight: z.number().positive().optional(),
  /** Asks the teacher once an image, as evaluation shows it, and not about the crop that the student sees. */
  teacherOnce: z.boolean().default(false),
  /** Tries temperatures and shares of the teacher on held-out images first. */
  searchTemperature: z.boolean().default(false),
});

export type TeachingOptions = z.output<typeof teachingOptionsSchema>;
/** Options as a caller writes them. */
export type DistillOptions = z.input<typeof teachingOptionsSchema> &
  Omit<TrainOptions, 'model' | 'consistency' | 'method' | 'loss'>;

export interface ResolvedDistillOptions {
  readonly train: ResolvedTrainOptions;
  readonly teaching: TeachingOptions;
}

/** @throws InputError naming every unknown or bad option, and what does not go together */
export function resolveDistillOptions(options: unknown, where = 'options of distill'): ResolvedDistillOptions {
  const given = Object.entries((options ?? {}) as Record<string, unknown>);
  const ours = Object.keys(teachingOptionsSchema.shape);
  const own = Object.fromEntries(given.filter(([name]) => ours.includes(name)));
  const teaching = parseOptions(teachingOptionsSchema, own, where);
  const rest = Object.fromEntries(given.filter(([name]) => !ours.includes(name)));
  for (const [name, instead] of Object.entries({ model: 'student', consistency: undefined, method: undefined }))
    if (rest[name] !== undefined)
      throw new InputError(
        `"${name}" is no option of distill${instead === undefined ? '' : `: it is called "${instead}"`}.`,
      );
  // Smoothed labels undo what a teacher says of wrong classes (Müller et al. 2019, arXiv:1906.02629, section 4).
  const { student, ...others } = { labelSmoothing: 0, ...rest, student: teaching.student };
  const train = resolveTrainOptions({ ...others, ...(student !== undefined && { model: student }) }, where, ours);
  checkTogether(train, teaching);
  return { train, teaching };
}

function checkTogether(train: ResolvedTrainOptions, teaching: TeachingOptions): void {
  const { loss, hard, features, featureWeight, teacher, temperature, alpha, searchTemperature } = teaching;
  if (train.backbone !== undefined && train.model !== undefined)
    throw new InputError(
      'Give "student" or "backbone", not both: "student" is a built-in network, trained from scratch.',
    );
  if (train.gradients && train.backbone === undefined)
    throw new InputError('"gradients" joins features to those of a backbone, and a built-in student has none.');
  if (hard && loss !== 'kd') throw new InputError(`"hard" goes with the loss "kd", got "${loss}".`);
  if (hard && temperature !== undefined)
    throw new InputError('"temperature" has no effect with "hard": a class has no temperature.');
  if (loss === 'none' && features === undefined)
    throw new InputError(
      `With the loss "none" the teacher's features must be compared: give "features" (${FEATURE_LOSSES.join(', ')}).`,
    );
  if (loss === 'none' && (alpha !== undefined || temperature !== undefined || searchTemperature))
    throw new InputError('"temperature" and "alpha" have no effect with the loss "none".');
  if (featureWeight !== undefined && features === undefined)
    throw new InputError('"featureWeight" has no effect without "features".');
  if (features !== undefined && teacher.length > 1)
    throw new InputError(`Features are compared with those of one teacher, got ${teacher.length}.`);
  checkOwnAverage(teaching);
  if (searchTemperature && (temperature !== undefined || hard))
    throw new InputError('"searchTemperature" finds the temperature: leave out "temperature" and "hard".');
  const method = methodOf(train) as 'finetune' | 'scratch';
  if (teaching.teacherOnce && mixes(planTraining(train, method, 1).augment))
    throw new InputError(
      `"teacherOnce" asks about images as they are, and the policy "${train.augment}" mixes them: the teacher must see what the student sees.`,
    );
}

/** @throws InputError for what only another teacher than the student's average can do */
function checkOwnAverage(teaching: TeachingOptions): void {
  if (!teaching.teacher.includes(OWN_AVERAGE)) return;
  if (!isOwnAverage(teaching))
    throw new InputError(
      `The teacher "${OWN_AVERAGE}" is the average of the student's own weights and has no others beside it, got ${teaching.teacher.length} teachers.`,
    );
  const { teacherClasses, map, teacherInput, ignoreLabels, features, loss, teacherOnce, alpha } = teaching;
  const unfit = {
    teacherClasses: teacherClasses !== undefined && "its classes are the student's",
    map: map !== undefined && "its classes are the student's",
    teacherInput: Object.values(teacherInput).some((value) => value !== undefined) && 'it sees what the student sees',
    teacherOnce: teacherOnce && 'it changes with every step',
    features: features !== undefined && 'answers alone are compared with it',
    loss: loss === 'none' && 'its answers are all that is compared',
    ignoreLabels: ignoreLabels && 'what it knows comes from labels',
    alpha: alpha === 1 && 'what it knows comes from labels, which would count for nothing',
  };
  for (const [name, reason] of Object.entries(unfit))
    if (reason !== false) throw new InputError(`"${name}" has no place with the teacher "${OWN_AVERAGE}": ${reason}.`);
}

/** A run may be continued from another folder. */
export function withAbsoluteTeacher(teaching: TeachingOptions): TeachingOptions {
  const absolute = (path: string): string => (existsSync(path) ? resolve(path) : path);
  const { teacher, teacherClasses, map } = teaching;
  return {
    ...teaching,
    teacher: isOwnAverage(teaching) ? teacher : teacher.map(absolute),
    ...(teacherClasses !== undefined && { teacherClasses: absolute(teacherClasses) }),
    ...(map !== undefined && { map: absolute(map) }),
  };
}
