import { InputError } from '../../core/errors.ts';
import { detectCollapse, type LabellingRound } from '../../labelling/collapse.ts';
import type { LabellingOptions } from '../../labelling/label-images.ts';
import { writeEvidence, type LabelledImages, type LabelledRound } from '../evidence/evidence.ts';
import { findNeighbours } from '../evidence/find-neighbours.ts';
import { FirstTeachers } from './first-teacher.ts';
import { beginFolds, foldStudents, judgedFolds, judgingFolds, type FoldState, type Judged } from './fold-students.ts';
import { heldAnswers, heldOf, type HeldAnswers } from './held-answers.ts';
import { answerOf, embedIn, modelLabeller, type Labeller } from './labeller.ts';
import { countsOf, machineLabels, type MachineLabels } from './machine-labels.ts';
import type { Network } from '../networks/network.ts';
import type { OpenedNetwork, Trained } from '../networks/opened-network.ts';
import { verdictOn, type Verdict } from './round-score.ts';
import { estimateSeconds } from './self-train-estimate.ts';
import { labellerOf, labellingOf, quiet, startOf, type SelfTrainSite, type Student } from './self-train-job.ts';
import type { RoundsNetwork } from './self-train-networks.ts';
import { studentPlan, trainStudent, type Distilled } from './student.ts';
import { tellRound } from './tell-round.ts';

/** T of the distillation at the end, where nothing is said: most that is said of wrong classes is lost at 1. */
const FINAL_TEMPERATURE = 2;

export interface SelfTrained extends Trained {
  readonly source: OpenedNetwork['source'];
  /** Whose student it is; 0: the first teacher. */
  readonly round: number;
}

/** Who labels in the next round, and what is known of it. */
interface Teacher extends Judged {
  /** 0 for the first teacher. */
  readonly round: number;
  /** Absent where the teacher is a file. */
  readonly trained: Student | undefined;
  readonly labeller: Labeller;
  readonly folds: readonly FoldState[];
}

/**
 * Self-training (Noisy Student, Xie et al. 2020, arXiv:1911.04252): a teacher labels the unlabelled images, a student
 * learns from these and the labelled ones with noise, becomes the teacher, and again.
 *
 * Rounds are judged on the labelled images, out of fold: each fold has a teacher that was trained without it, which labels some of
 * the images that are no copies of the fold's, and a student that learns from these and the other folds in a part of
 * the time, and is the fold's next teacher. Where there are validation images, these judge the students themselves.
 */
export class SelfTraining {
  readonly #site: SelfTrainSite;
  readonly #labelling: LabellingOptions;
  /** Of all rounds so far. */
  readonly #labelled: LabelledRound[] = [];
  /** By the embedding of the first network that is at hand, for all rounds. */
  #neighbours: Promise<LabelledImages['neighbours']> | undefined;

  /** @throws InputError for a threshold that can't be read */
  constructor(site: SelfTrainSite) {
    this.#site = site;
    this.#labelling = labellingOf(site.job);
  }

  /** Rounds, until they are done or no longer better; then the distillation, if there is to be one. */
  async train(): Promise<SelfTrained> {
    const { rounds, final } = this.#site.job.networks;
    if (this.#site.job.course === undefined) await this.#tellTime();
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
    const { network, of } = best.trained!;
    return { network, source: of.source, calibration: best.held, round: best.round };
  }

  async #tellTime(): Promise<void> {
    const { options, data, networks } = this.#site.job;
    const all = [...networks.rounds, ...(networks.final === undefined ? [] : [networks.final])];
    const folds = judgingFolds(options, data).length;
    const seconds = await estimateSeconds(this.#site.workshop, options, data, all, folds);
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
    const { classes } = this.#site.job.data;
    const [name, network] = [`round-${round}`, spec.opened.source.name];
    const best = kept.at(-1)!;
    const labels = await this.#labels(name, best, this.#labelling);
    const counts = countsOf(labels, classes);
    const alarms = (held?: HeldAnswers): readonly string[] => {
      const last = held === undefined ? counts : { ...counts, held: heldOf(held) };
      return detectCollapse([...history, last], labels.prior, classes).reasons;
    };
    const tell = (of: HeldAnswers | undefined, verdict: Verdict, reasons: readonly string[]): void =>
      tellRound(this.#site.workshop, { number: round, network, held: of, labels, verdict, reasons });
    const stopped = { teacher: undefined, goesOn: false };

    const collapsed = alarms();
    if (collapsed.length > 0) {
      this.#rollBack(round, kept, collapsed);
      tell(undefined, { isKept: false, goesOn: false }, collapsed);
      return stopped;
    }
    const { course } = this.#site.job;
    const folds = best.folds.slice(0, course === undefined ? undefined : round === 1 ? course.judgedFolds : 0);
    const judged = await foldStudents(this.#site, name, spec, folds, best.heldLabels ?? best.held, this.#labelling);
    const isShorter = round === 1 && judged.held !== undefined;
    let verdict = this.#verdict(round, judged.held, best, isShorter, alarms);
    let { held } = judged;
    let teacher: Teacher | undefined;
    if (verdict.isKept) {
      const trained = await this.#student(name, spec, labels, best);
      const own = this.#labeller(trained.network);
      const labeller = best.labeller.withStudent?.(trained.network) ?? own;
      let { heldLabels } = judged;
      if (held === undefined) {
        ({ held, heldLabels } = await this.#onValidation(own, labeller));
        verdict = this.#verdict(round, held, best, false, alarms);
      }
      // Of a student that nothing was held out of, or little, its teacher's answers are the nearest there is.
      const isWhole = (held?.labels.length ?? 0) >= (best.held?.labels.length ?? 0);
      const known = isWhole ? { held, heldLabels } : { held: best.held, heldLabels: best.heldLabels };
      teacher = { ...judged, round, trained, labeller, ...known };
    }
    history.push(held === undefined ? counts : { ...counts, held: heldOf(held) });
    tell(held, verdict, verdict.reasons);
    return verdict.isKept ? { teacher, goesOn: verdict.goesOn } : stopped;
  }

  /** Takes the student whose labels collapse away, if something is left then. */
  #rollBack(round: number, kept: Teacher[], reasons: readonly string[]): void {
    const why = `The machine labels of round ${round} collapse: ${reasons.join(' ')}`;
    const { trained, round: last } = kept.at(-1)!;
    if (trained === undefined) throw new InputError(`${why} Nothing can be learned from this teacher.`);
    const before = kept.at(-2);
    const { record, onProgress } = this.#site.workshop;
    if (before?.trained !== undefined) {
      kept.pop();
      record({ type: 'rolled-back', round: last, reasons: [`its labels collapse in round ${round}`, ...reasons] });
    }
    const left = before?.trained === undefined ? last : before.round;
    const back = left === 0 ? 'the first teacher, trained from the labels alone' : `the student of round ${left}`;
    onProgress?.({ type: 'warning', message: `${why} What is left is ${back}.` });
  }

  #verdict(
    round: number,
    held: HeldAnswers | undefined,
    best: Teacher,
    isShorter: boolean,
    alarms: (held?: HeldAnswers) => readonly string[],
  ): Verdict & { readonly reasons: readonly string[] } {
    const { course } = this.#site.job;
    const verdict = course?.verdict(round, held, best.held) ?? verdictOn(held, best.held, isShorter);
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
    const { workshop, job } = this.#site;
    const { data, control } = job;
    const { teacher: files, train } = job.options;
    let begun: Omit<Teacher, keyof Judged>;
    let judged: Labeller;
    if (files.length > 0) {
      const limits = { maxPixels: train.maxPixels * 1e6, threads: workshop.engine.threads };
      const labeller = modelLabeller(files, data.classes, limits, control);
      this.#note(
        'A teacher that is a file may have been trained on the labelled images: what folds estimate of its labels is too good then.',
      );
      judged = labeller;
      begun = { round: 0, trained: undefined, labeller, folds: await beginFolds(this.#site, labeller) };
    } else {
      const teachers = new FirstTeachers(this.#site);
      const { network, of, ...who } = await teachers.make(data.train, data.unlabeled, 'teacher');
      ({ judged } = who);
      const folds = await beginFolds(this.#site, teachers);
      begun = { round: 0, trained: { network, of }, labeller: who.labeller, folds };
    }
    const { folds, labeller } = begun;
    const said = await (folds.length > 0
      ? judgedFolds(this.#site, 'teacher', folds)
      : this.#onValidation(judged, labeller));
    if (said.held === undefined)
      this.#note('Nothing is held out: every round is done, and the last counts, whether it is better or not.');
    tellRound(workshop, {
      number: 0,
      network: begun.trained?.of.source.name ?? files.join(', '),
      held: said.held,
      labels: undefined,
      verdict: { isKept: true, goesOn: true },
      reasons: [],
    });
    return { ...begun, ...said };
  }

  /** Of all unlabelled images; what is known of each is written to `pseudo-labels/NAME.csv` and `.jsonl`. */
  async #labels(name: string, teacher: Teacher, how: LabellingOptions): Promise<MachineLabels> {
    const { labeller, trained } = teacher;
    const held = teacher.heldLabels ?? teacher.held;
    const { run, workshop, stages, job } = this.#site;
    const { classes, unlabeled, train } = job.data;
    const { made, agreement } = await stages.run(`${name}-labels`, async (folder) => {
      const answer = await answerOf(labeller, unlabeled, classes.length, folder);
      job.course?.answered(answer, held);
      return { made: machineLabels(answer, classes, held, how), agreement: answer.agreement };
    });
    if (made.warning !== undefined) workshop.onProgress?.({ type: 'warning', message: made.warning });
    const model = trained?.of.source.name ?? job.options.teacher.join(', ');
    this.#labelled.push({ name, model, labels: made.labels, agreement });
    this.#neighbours ??= this.#findNeighbours(labeller, trained?.network);
    const images = { classes, labelled: train, unlabelled: unlabeled, neighbours: await this.#neighbours };
    await writeEvidence(run, images, this.#labelled);
    return made;
  }

  /** None where no network has seen an image yet. */
  async #findNeighbours({ embed }: Labeller, teacher: Network | undefined): Promise<LabelledImages['neighbours']> {
    const { workshop, job } = this.#site;
    const { base } = job.networks;
    const network = teacher ?? (base.source.sha256 === undefined ? undefined : base.untrained());
    const { maxPixels } = job.options.train;
    const by = embed ?? (network && embedIn(quiet(workshop), network, maxPixels * 1e6));
    return by && findNeighbours(workshop, by, job.data);
  }

  async #student(
    name: string,
    spec: RoundsNetwork,
    labels: MachineLabels,
    { round, trained }: Teacher,
    distilled?: Distilled,
  ): Promise<Student> {
    const { options, data } = this.#site.job;
    const { opened, options: network } = spec;
    const used = labels.labels.filter((label) => label.used).length;
    const plan = studentPlan(options, network, { labelled: data.train.length, unlabelled: used });
    const stage = `${name}-student`;
    const student = await this.#site.stages.run(stage, (folder) =>
      trainStudent(this.#site.workshop, {
        opened,
        // The head of a first teacher is fitted to the end: it would leave nothing to learn from the labels.
        start: round === 0 ? undefined : startOf(this.#site.job, spec, trained),
        options: network,
        plan,
        labelled: data.train,
        validation: data.validation,
        unlabelled: data.unlabeled,
        labels: labels.labels,
        distilled,
        classes: data.classes,
        stage,
        folder,
      }),
    );
    return { network: student, of: opened };
  }

  async #onValidation(judged: Labeller, labeller: Labeller): Promise<Judged> {
    const { validation, classes } = this.#site.job.data;
    if (validation.length === 0) return { held: undefined };
    const said = async (of: Labeller): Promise<HeldAnswers> =>
      heldAnswers(classes, validation, await answerOf(of, validation, classes.length), 'validation images');
    return { held: await said(judged), ...(judged !== labeller && { heldLabels: await said(labeller) }) };
  }

  /** A network of another size learns all that the teacher says, of every image, softened. */
  async #distilled(spec: RoundsNetwork, best: Teacher): Promise<Teacher> {
    const how: LabellingOptions = { labels: 'soft', threshold: { kind: 'none' } };
    const { options, data } = this.#site.job;
    const temperature = options.finalTemperature ?? FINAL_TEMPERATURE;
    const labels = await this.#labels('final', best, how);
    const ofLabelled = await answerOf(best.labeller, data.train, data.classes.length);
    const known = best.heldLabels ?? best.held;
    const judged = await foldStudents(this.#site, 'final', spec, best.folds, known, how, temperature);
    const trained = await this.#student('final', spec, labels, best, {
      temperature,
      ofLabelled: machineLabels(ofLabelled, data.classes, known, how).labels,
    });
    const labeller = this.#labeller(trained.network);
    const held = judged.held ?? (await this.#onValidation(labeller, labeller)).held;
    const round = this.#site.job.networks.rounds.length + 1;
    tellRound(this.#site.workshop, {
      number: round,
      network: spec.opened.source.name,
      held,
      labels,
      verdict: { isKept: true, goesOn: false },
      reasons: [],
    });
    return { ...judged, round, trained, labeller, held };
  }

  #labeller(network: Network): Labeller {
    const { train, unlabeled } = this.#site.job.data;
    return labellerOf(this.#site, network, train, unlabeled);
  }

  #note(message: string): void {
    this.#site.workshop.onProgress?.({ type: 'note', message });
  }
}
