import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { writeFileAtomic } from '../core/atomic-file.ts';
import { InputError } from '../core/errors.ts';
import { randomStream, shuffled } from '../core/random.ts';
import type { Sample } from '../datasets/dataset.ts';
import { withoutCopies } from '../datasets/protocol.ts';
import { detectCollapse, type LabellingRound } from '../labelling/collapse.ts';
import type { LabellingOptions } from '../labelling/label-images.ts';
import type { RunFolder } from '../train/run-folder.ts';
import { firstTeacher } from './first-teacher.ts';
import { answerOf, labellers, modelLabeller, networkLabeller, type Labeller } from './labeller.ts';
import { heldAnswers, heldOf, withoutRows, type HeldAnswers } from './held-answers.ts';
import { countsOf, labelsAsCsv, machineLabels, type MachineLabels } from './machine-labels.ts';
import { methodOf } from './method.ts';
import type { Network } from './network.ts';
import type { OpenedNetwork, Trained } from './opened-network.ts';
import { parseThreshold } from './parse-threshold.ts';
import { foldsOf, type Fold, type LabelledSample, type TrainingData } from './prepare-data.ts';
import { propagationLabeller } from './propagation-labeller.ts';
import { scoreOf, verdictOn, type Verdict } from './round-score.ts';
import { estimateSeconds } from './self-train-estimate.ts';
import type { RoundsNetwork, SelfTrainNetworks } from './self-train-networks.ts';
import type { ResolvedSelfTrainOptions } from './self-train-options.ts';
import type { Stages } from './stages.ts';
import { studentPlan, trainStudent } from './student.ts';
import type { TrainControl } from './train-control.ts';
import type { Workshop } from './workshop.ts';

export interface SelfTrainJob {
  readonly options: ResolvedSelfTrainOptions;
  readonly data: TrainingData;
  readonly networks: SelfTrainNetworks;
  readonly control: TrainControl;
}

export interface SelfTrained extends Trained {
  readonly source: OpenedNetwork['source'];
}

/** Labelled images that rounds are judged on, by students of which none was told of them or of copies of them. */
interface FoldState {
  readonly fold: Fold;
  /** None is a copy of a held image. */
  readonly unlabelled: readonly Sample[];
  /** Who labels these. */
  readonly labeller: Labeller;
  /** A student, unless it is the first teacher. */
  readonly student?: Student;
}

interface Student {
  readonly network: Network;
  readonly of: OpenedNetwork;
}

/** Who labels in the next round, and what is known of it. */
interface Teacher {
  /** 0 for the first teacher. */
  readonly round: number;
  /** Absent where the teacher is a file. */
  readonly trained: (Student & { readonly source: OpenedNetwork['source'] }) | undefined;
  readonly labeller: Labeller;
  readonly folds: readonly FoldState[];
  readonly held: HeldAnswers | undefined;
}

const DEFAULT_FOLDS = 3;

/**
 * Self-training (Noisy Student, Xie et al. 2020, arXiv:1911.04252): a teacher labels the unlabelled images, a student
 * learns from these and the labelled ones with noise, becomes the teacher, and again.
 *
 * Rounds are judged on the labelled images, out of fold: each fold has a teacher that was trained without it, which labels some of
 * the images that are no copies of the fold's, and a student that learns from these and the other folds in a quarter of
 * the time, and is the fold's next teacher. Where there are validation images, these judge the students themselves.
 */
export class SelfTraining {
  readonly #run: RunFolder;
  readonly #workshop: Workshop;
  readonly #stages: Stages;
  readonly #job: SelfTrainJob;
  readonly #labelling: LabellingOptions;

  /** @throws InputError for a threshold that can't be read */
  constructor(run: RunFolder, workshop: Workshop, stages: Stages, job: SelfTrainJob) {
    this.#run = run;
    this.#workshop = workshop;
    this.#stages = stages;
    this.#job = job;
    this.#labelling = labellingOf(job);
  }

  /** Rounds, until they are done or no longer better; then the distillation, if there is to be one. */
  async train(): Promise<SelfTrained> {
    const { rounds, final } = this.#job.networks;
    await this.#tellTime();
    const kept = [await this.#begin()];
    const history: LabellingRound[] = [];
    for (const [i, spec] of rounds.entries()) {
      const next = await this.#round(i + 1, spec, kept, history);
      if (next.teacher === undefined) break;
      kept.push(next.teacher);
      if (!next.goesOn) break;
    }
    let best = kept.at(-1)!;
    if (final !== undefined) best = await this.#distilled(final, best);
    return { ...best.trained!, calibration: best.held };
  }

  async #tellTime(): Promise<void> {
    const { options, data, networks } = this.#job;
    const all = [...networks.rounds, ...(networks.final === undefined ? [] : [networks.final])];
    const folds = judgingFolds(options, data).length;
    const seconds = await estimateSeconds(this.#workshop, options, data, all, folds);
    const what = `${networks.rounds.length} ${networks.rounds.length === 1 ? 'round' : 'rounds'}`;
    this.#note(
      `Estimate: up to ${Math.max(1, Math.round(seconds / 60))} min for ${what}${networks.final === undefined ? '' : ' and the distillation'}, after the first teacher.`,
    );
  }

  /**
   * @param kept the teachers so far; one whose labels collapse is taken from them
   * @param history of the labels of these rounds; this one's is added
   * @returns the round's student, unless it is not kept
   */
  async #round(
    round: number,
    spec: RoundsNetwork,
    kept: Teacher[],
    history: LabellingRound[],
  ): Promise<{ readonly teacher: Teacher | undefined; readonly goesOn: boolean }> {
    const { classes } = this.#job.data;
    const [name, network] = [`round-${round}`, spec.opened.source.name];
    const best = kept.at(-1)!;
    const labels = await this.#labels(name, best, this.#labelling);
    const counts = countsOf(labels, classes);
    const alarms = (held?: HeldAnswers): readonly string[] => {
      const last = held === undefined ? counts : { ...counts, held: heldOf(held) };
      return detectCollapse([...history, last], labels.prior, classes).reasons;
    };
    const stopped = { teacher: undefined, goesOn: false };

    const collapsed = alarms();
    if (collapsed.length > 0) {
      this.#rollBack(round, kept, collapsed);
      this.#told(round, network, undefined, labels, { isKept: false, goesOn: false }, collapsed);
      return stopped;
    }
    const judged = await this.#foldStudents(name, spec, best);
    const isShorter = round === 1 && judged.held !== undefined;
    let verdict = this.#verdict(judged.held, best, isShorter, alarms);
    let { held } = judged;
    let teacher: Teacher | undefined;
    if (verdict.isKept) {
      const trained = await this.#student(name, spec, labels, best);
      const labeller = this.#labeller(trained.network, this.#job.data.train, this.#job.data.unlabeled);
      if (held === undefined) {
        held = await this.#onValidation(labeller);
        verdict = this.#verdict(held, best, false, alarms);
      }
      teacher = { ...judged, round, trained, labeller, held };
    }
    history.push(held === undefined ? counts : { ...counts, held: heldOf(held) });
    this.#told(round, network, held, labels, verdict, verdict.reasons);
    return verdict.isKept ? { teacher, goesOn: verdict.goesOn } : stopped;
  }

  /** The student whose labels collapse is not kept; the first teacher is all there is. */
  #rollBack(round: number, kept: Teacher[], reasons: readonly string[]): void {
    const why = `The machine labels of round ${round} collapse: ${reasons.join(' ')}`;
    if (round === 1 && kept[0]!.trained === undefined)
      throw new InputError(`${why} Nothing can be learned from this teacher.`);
    const back = round === 1 ? 'Only the first teacher is left, trained from the labels alone.' : `The run goes back to round ${round - 2}.`; // prettier-ignore
    if (round > 1) kept.pop();
    this.#workshop.onProgress?.({ type: 'warning', message: `${why} ${back}` });
  }

  #verdict(
    held: HeldAnswers | undefined,
    best: Teacher,
    isShorter: boolean,
    alarms: (held?: HeldAnswers) => readonly string[],
  ): Verdict & { readonly reasons: readonly string[] } {
    const verdict = verdictOn(held, best.held, isShorter);
    const reasons = held === undefined ? [] : alarms(held);
    // A teacher that is a file is no network to be kept.
    if (best.trained === undefined) return { ...verdict, isKept: true, reasons };
    return {
      ...verdict,
      isKept: verdict.isKept && reasons.length === 0,
      reasons: verdict.isKept || reasons.length > 0 ? reasons : ['no better than the best before'],
    };
  }

  async #begin(): Promise<Teacher> {
    const { options, data, control } = this.#job;
    const { teacher: files, train } = options;
    const folds = judgingFolds(options, data);
    const unlabelled = folds.map(({ held }) => withoutCopies(data.unlabeled, held, data.duplicates.groups));
    let begun: Omit<Teacher, 'held'>;
    if (files.length > 0) {
      const limits = { maxPixels: train.maxPixels * 1e6, threads: this.#workshop.engine.threads };
      const labeller = modelLabeller(files, data.classes, limits, control);
      const states = folds.map((fold, k) => ({ fold, unlabelled: unlabelled[k]!, labeller }));
      begun = { round: 0, trained: undefined, labeller, folds: states };
    } else {
      const network = await firstTeacher(this.#workshop, this.#stages, this.#job, data.train, 'teacher');
      const states: FoldState[] = [];
      for (const [k, fold] of folds.entries()) {
        const ofFold = await firstTeacher(this.#quiet, this.#stages, this.#job, fold.train, `teacher-fold-${k + 1}`);
        states.push({ fold, unlabelled: unlabelled[k]!, labeller: this.#labeller(ofFold, fold.train, unlabelled[k]!) });
      }
      const { base } = this.#job.networks;
      const labeller = this.#labeller(network, data.train, data.unlabeled);
      begun = { round: 0, trained: { network, of: base, source: base.source }, labeller, folds: states };
    }
    const held =
      folds.length > 0 ? await this.#outOfFold('teacher', begun.folds) : await this.#onValidation(begun.labeller);
    if (held === undefined)
      this.#note('Nothing is held out: every round is done, and the last counts, whether it is better or not.');
    this.#told(0, begun.trained?.source.name ?? files.join(', '), held, undefined, { isKept: true, goesOn: true });
    return { ...begun, held };
  }

  /** Of all unlabelled images; written to `pseudo-labels/NAME.csv`. */
  async #labels(name: string, { labeller, held }: Teacher, how: LabellingOptions): Promise<MachineLabels> {
    const { classes, unlabeled } = this.#job.data;
    const made = await this.#stages.run(`${name}-labels`, async (folder) =>
      machineLabels(await answerOf(labeller, unlabeled, classes.length, folder), classes, held, how),
    );
    if (made.warning !== undefined) this.#workshop.onProgress?.({ type: 'warning', message: made.warning });
    const file = this.#run.file('pseudo-labels', `${name}.csv`);
    await mkdir(dirname(file), { recursive: true });
    await writeFileAtomic(file, labelsAsCsv(unlabeled, made.labels, classes));
    return made;
  }

  async #student(
    name: string,
    spec: RoundsNetwork,
    labels: MachineLabels,
    { round, trained }: Teacher,
  ): Promise<NonNullable<Teacher['trained']>> {
    const { options, data } = this.#job;
    const { opened, options: network } = spec;
    const used = labels.labels.filter((label) => label.used).length;
    const plan = studentPlan(options, network, { labelled: data.train.length, unlabelled: used });
    const stage = `${name}-student`;
    const student = await this.#stages.run(stage, (folder) =>
      trainStudent(this.#workshop, {
        opened,
        start: this.#startOf(spec, round === 0 ? undefined : trained),
        options: network,
        plan,
        labelled: data.train,
        validation: data.validation,
        unlabelled: data.unlabeled,
        labels: labels.labels,
        classes: data.classes,
        stage,
        folder,
      }),
    );
    return { network: student, of: opened, source: opened.source };
  }

  #startOf({ opened }: RoundsNetwork, teacher: Student | undefined): Network | undefined {
    return this.#job.options.start === 'teacher' && teacher?.of === opened ? teacher.network : undefined;
  }

  /** The students of the folds, and what they say of the images held out of them. */
  async #foldStudents(
    name: string,
    spec: RoundsNetwork,
    { folds, held: before }: Teacher,
    how = this.#labelling,
  ): Promise<Pick<Teacher, 'folds' | 'held'>> {
    if (folds.length === 0) return { folds, held: undefined };
    const { options, data } = this.#job;
    const { classes } = data;
    const { opened, options: network } = spec;
    const students: FoldState[] = [];
    for (const [k, { fold, unlabelled, labeller, student: teacher }] of folds.entries()) {
      const stage = `${name}-fold-${k + 1}`;
      const student = await this.#stages.run(stage, async (folder) => {
        const pool = { labelled: fold.train.length, unlabelled: unlabelled.length };
        const plan = studentPlan(options, network, pool, true);
        // No more than it will see.
        const seen = shuffled(unlabelled, randomStream(options.train.seed, stage, 'unlabelled')).slice(
          0,
          plan.plan.epochs * plan.draws,
        );
        const answer = await answerOf(labeller, seen, classes.length, folder);
        const { labels } = machineLabels(answer, classes, before && withoutRows(before, fold.held), how);
        return trainStudent(this.#quiet, {
          opened,
          start: this.#startOf(spec, teacher),
          options: network,
          plan,
          labelled: fold.train,
          validation: [],
          unlabelled: seen,
          labels,
          classes,
          stage,
          folder,
        });
      });
      const next = this.#labeller(student, fold.train, unlabelled);
      students.push({ fold, unlabelled, labeller: next, student: { network: student, of: opened } });
    }
    return { folds: students, held: await this.#outOfFold(name, students) };
  }

  /** What each fold's labeller says of the images that were held out of it. */
  async #outOfFold(name: string, folds: readonly FoldState[]): Promise<HeldAnswers> {
    const { train: samples, classes } = this.#job.data;
    const rowOf = new Map(samples.map((sample, row) => [sample, row]));
    const probabilities = new Float32Array(samples.length * classes.length);
    const agreement = new Float32Array(samples.length);
    for (const [k, { fold, labeller }] of folds.entries()) {
      const answer = await this.#stages.run(`${name}-held-${k + 1}`, (folder) =>
        answerOf(labeller, fold.held, classes.length, folder),
      );
      for (const [i, sample] of fold.held.entries()) {
        const row = rowOf.get(sample)!;
        const own = answer.probabilities.subarray(i * classes.length, (i + 1) * classes.length);
        probabilities.set(own, row * classes.length);
        agreement[row] = answer.agreement[i]!;
      }
    }
    const foundOn = `out-of-fold predictions of ${samples.length} labelled images`;
    return heldAnswers(classes, samples, { probabilities, agreement }, foundOn);
  }

  async #onValidation(labeller: Labeller): Promise<HeldAnswers | undefined> {
    const { validation, classes } = this.#job.data;
    if (validation.length === 0) return undefined;
    const answer = await answerOf(labeller, validation, classes.length);
    return heldAnswers(classes, validation, answer, 'validation images');
  }

  /** A network of another size learns all that the teacher says, of every image. */
  async #distilled(spec: RoundsNetwork, best: Teacher): Promise<Teacher> {
    const how: LabellingOptions = { labels: 'soft', threshold: { kind: 'none' } };
    const labels = await this.#labels('final', best, how);
    const judged = await this.#foldStudents('final', spec, best, how);
    const trained = await this.#student('final', spec, labels, best);
    const labeller = this.#labeller(trained.network, this.#job.data.train, this.#job.data.unlabeled);
    const held = judged.held ?? (await this.#onValidation(labeller));
    const round = best.round + 1;
    this.#told(round, spec.opened.source.name, held, labels, { isKept: true, goesOn: false });
    return { ...judged, round, trained, labeller, held };
  }

  /** The network, what spreads over the graph of its embeddings, or both. */
  #labeller(network: Network, labelled: readonly LabelledSample[], pool: readonly Sample[]): Labeller {
    const { source, views: count, train } = this.#job.options;
    const maxPixels = train.maxPixels * 1e6;
    const mirrored = train.flip === 'on' || (train.flip === 'auto' && methodOf(train) !== 'scratch');
    const own = networkLabeller(this.#workshop, network, { count, mirrored, seed: train.seed }, maxPixels);
    if (source === 'teacher') return own;
    const classes = this.#job.data.classes.length;
    const spread = propagationLabeller(this.#workshop, network, { labelled, pool, classes }, maxPixels);
    return source === 'propagation' ? spread : labellers([own, spread]);
  }

  /** For trainings whose words would bury what the rounds say. */
  get #quiet(): Workshop {
    return { ...this.#workshop, onProgress: undefined };
  }

  #note(message: string): void {
    this.#workshop.onProgress?.({ type: 'note', message });
  }

  #told(
    round: number,
    network: string,
    held: HeldAnswers | undefined,
    labels: MachineLabels | undefined,
    { isKept, rise }: Verdict,
    reasons: readonly string[] = [],
  ): void {
    const score = held && scoreOf(held);
    this.#workshop.record({
      type: 'round',
      round,
      network,
      ...(score && { ...score, heldOut: held!.foundOn }),
      ...(labels && {
        unlabelled: labels.summary.images,
        used: labels.summary.used,
        ...(labels.summary.expectedRight !== undefined && { expectedRight: labels.summary.expectedRight }),
        perClass: labels.summary.perClass,
        prior: labels.prior,
      }),
      ...(rise && { rise: rise.mean, riseInterval: rise.interval }),
      isKept,
      ...(reasons.length > 0 && { reasons }),
    });
    const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
    const found =
      score === undefined
        ? ''
        : ` ${percent(score.accuracy)} right, negative log-likelihood ${score.nll.toFixed(3)}, on ${held!.foundOn}.`;
    const { used, images, expectedRight: right } = labels?.summary ?? {};
    const quality = right === undefined ? '' : `, of which ${percent(right)} are estimated to be right`;
    const from = labels === undefined ? '' : ` ${used} of ${images} machine labels are used${quality}.`;
    const verdict = isKept ? '' : ` It is not kept: ${reasons.join(' ')}.`;
    this.#note(`${round === 0 ? 'First teacher' : `Round ${round}`}:${from}${found}${verdict}`);
  }
}

/** None where validation images judge, or labels are too few. */
function judgingFolds({ train }: ResolvedSelfTrainOptions, data: TrainingData): Fold[] {
  return data.validation.length > 0 ? [] : foldsOf(data.train, data, train.folds ?? DEFAULT_FOLDS, train.seed);
}

/** Whether labelled images are held out of what teachers are trained on. */
export function isJudged(options: ResolvedSelfTrainOptions, data: TrainingData): boolean {
  return data.validation.length > 0 || judgingFolds(options, data).length > 0;
}

function labellingOf({ options, data }: SelfTrainJob): LabellingOptions {
  const { labels, sharpening, threshold, balance, adjust } = options;
  return {
    labels,
    ...(sharpening !== undefined && { temperature: sharpening }),
    threshold: parseThreshold(threshold, data.classes.length),
    balance,
    adjust,
  };
}
