import { randomStream, shuffled } from '../../core/random.ts';
import type { Sample } from '../../datasets/dataset.ts';
import { withoutCopies } from '../../datasets/protocol.ts';
import type { LabellingOptions } from '../../labelling/label-images.ts';
import type { FirstTeachers } from './first-teacher.ts';
import { heldAnswers, withoutRows, type HeldAnswers } from './held-answers.ts';
import { answerOf, type Labeller } from './labeller.ts';
import { machineLabels } from './machine-labels.ts';
import { foldsOf, type Fold, type TrainingData } from '../prepare-data.ts';
import { labellerOf, quiet, startOf, type SelfTrainSite, type Student } from './self-train-job.ts';
import type { RoundsNetwork } from './self-train-networks.ts';
import type { ResolvedSelfTrainOptions } from './self-train-options.ts';
import { studentPlan, trainStudent } from './student.ts';

const DEFAULT_FOLDS = 3;

/** Labelled images that rounds are judged on, by students of which none was told of them or of copies of them. */
export interface FoldState {
  readonly fold: Fold;
  /** None is a copy of a held image. */
  readonly unlabelled: readonly Sample[];
  /** Who labels these. */
  readonly labeller: Labeller;
  /** The network that is judged by the fold, which may label together with others. */
  readonly judged: Labeller;
  /** A student, unless it is the first teacher. */
  readonly student?: Student;
}

/** What is said of images that nothing was learnt from. */
export interface Judged {
  /** By the network that may be the last one. */
  readonly held: HeldAnswers | undefined;
  /** By who labels next; absent where that is the network. */
  readonly heldLabels?: HeldAnswers | undefined;
}

/** None where validation images judge, or labels are too few. */
export function judgingFolds({ train }: ResolvedSelfTrainOptions, data: TrainingData): Fold[] {
  return data.validation.length > 0 ? [] : foldsOf(data.train, data, train.folds ?? DEFAULT_FOLDS, train.seed);
}

/** Whether labelled images are held out of what teachers are trained on. */
export function isJudged(options: ResolvedSelfTrainOptions, data: TrainingData): boolean {
  return data.validation.length > 0 || judgingFolds(options, data).length > 0;
}

/** Folds whose teacher is a file, or is made on each from its labels. */
export async function beginFolds(
  { workshop, job }: SelfTrainSite,
  teacher: Labeller | FirstTeachers,
): Promise<FoldState[]> {
  const { unlabeled, duplicates } = job.data;
  const states: FoldState[] = [];
  for (const [k, fold] of judgingFolds(job.options, job.data).entries()) {
    const unlabelled = withoutCopies(unlabeled, fold.held, duplicates.groups);
    const { labeller, judged } =
      'answers' in teacher
        ? { labeller: teacher, judged: teacher }
        : await teacher.make(fold.train, unlabelled, `teacher-fold-${k + 1}`, quiet(workshop));
    states.push({ fold, unlabelled, labeller, judged });
  }
  return states;
}

/**
 * The next student of each fold, trained for less long than the run's, and what they say of the images held out of them.
 * @param before what their teachers said of these, which calibrates them
 * @param temperature where all that they say is learnt, softened by it
 */
export async function foldStudents(
  site: SelfTrainSite,
  name: string,
  spec: RoundsNetwork,
  folds: readonly FoldState[],
  before: HeldAnswers | undefined,
  how: LabellingOptions,
  temperature?: number,
): Promise<Judged & { readonly folds: readonly FoldState[] }> {
  if (folds.length === 0) return { folds, held: undefined };
  const { workshop, stages, job } = site;
  const { classes } = job.data;
  const { opened, options } = spec;
  const students: FoldState[] = [];
  for (const [k, { fold, unlabelled, labeller, student: teacher }] of folds.entries()) {
    const stage = `${name}-fold-${k + 1}`;
    const network = await stages.run(stage, async (folder) => {
      const pool = { labelled: fold.train.length, unlabelled: unlabelled.length };
      const plan = studentPlan(job.options, options, pool, true);
      // No more than it will see.
      const order = shuffled(unlabelled, randomStream(options.seed, stage, 'unlabelled'));
      const seen = order.slice(0, plan.plan.epochs * plan.draws);
      const answer = await answerOf(labeller, seen, classes.length, folder);
      const known = before && withoutRows(before, fold.held);
      const { labels } = machineLabels(answer, classes, known, how);
      const distilled = temperature && {
        temperature,
        ofLabelled: machineLabels(await answerOf(labeller, fold.train, classes.length), classes, known, how).labels,
      };
      return trainStudent(quiet(workshop), {
        opened,
        start: startOf(job, spec, teacher),
        options,
        plan,
        labelled: fold.train,
        validation: [],
        unlabelled: seen,
        labels,
        ...(distilled && { distilled }),
        classes,
        stage,
        folder,
      });
    });
    const judged = labellerOf(site, network, fold.train, unlabelled);
    const next = labeller.withStudent?.(network) ?? judged;
    students.push({ fold, unlabelled, labeller: next, judged, student: { network, of: opened } });
  }
  return { folds: students, ...(await judgedFolds(site, name, students)) };
}

/** What is said of the images that were held out of each fold; of all labelled images, where no fold is left out. */
export async function judgedFolds(site: SelfTrainSite, name: string, folds: readonly FoldState[]): Promise<Judged> {
  const held = await outOfFold(site, `${name}-held`, folds, ({ judged }) => judged);
  if (folds.every(({ labeller, judged }) => labeller === judged)) return { held };
  return { held, heldLabels: await outOfFold(site, `${name}-held-labels`, folds, ({ labeller }) => labeller) };
}

async function outOfFold(
  { stages, job }: SelfTrainSite,
  name: string,
  folds: readonly FoldState[],
  who: (fold: FoldState) => Labeller,
): Promise<HeldAnswers> {
  const { classes } = job.data;
  const judged = new Set(folds.flatMap(({ fold }) => fold.held));
  const samples = job.data.train.filter((sample) => judged.has(sample));
  const rowOf = new Map(samples.map((sample, row) => [sample, row]));
  const probabilities = new Float32Array(samples.length * classes.length);
  const agreement = new Float32Array(samples.length);
  const outliers = new Float32Array(samples.length);
  let isScored = true;
  for (const [k, state] of folds.entries()) {
    const { fold } = state;
    const answer = await stages.run(`${name}-${k + 1}`, (folder) =>
      answerOf(who(state), fold.held, classes.length, folder),
    );
    for (const [i, sample] of fold.held.entries()) {
      const row = rowOf.get(sample)!;
      const own = answer.probabilities.subarray(i * classes.length, (i + 1) * classes.length);
      probabilities.set(own, row * classes.length);
      agreement[row] = answer.agreement[i]!;
      outliers[row] = answer.outliers?.[i] ?? 0;
    }
    isScored &&= answer.outliers !== undefined;
  }
  const foundOn = `out-of-fold predictions of ${samples.length} labelled images`;
  return heldAnswers(classes, samples, { probabilities, agreement, ...(isScored && { outliers }) }, foundOn);
}
