import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { writeFileAtomic } from '../core/atomic-file.ts';
import { randomStream, shuffled } from '../core/random.ts';
import type { Sample } from '../datasets/dataset.ts';
import { withoutCopies } from '../datasets/protocol.ts';
import type { LabellingOptions } from '../labelling/label-images.ts';
import type { RunFolder } from '../train/run-folder.ts';
import { firstTeacher } from './first-teacher.ts';
import type { HeldOutPredictions } from './held-out-predictions.ts';
import { answerOf, modelLabeller, networkLabeller, type Labeller } from './labeller.ts';
import { labelsAsCsv, machineLabels, type MachineLabels } from './machine-labels.ts';
import { methodOf } from './method.ts';
import type { Network } from './network.ts';
import type { OpenedNetwork, Trained } from './opened-network.ts';
import { parseThreshold } from './parse-threshold.ts';
import { foldsOf, type Fold, type LabelledSample, type TrainingData } from './prepare-data.ts';
import { scoreOf, verdictOn, type Verdict } from './round-score.ts';
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
}

/** Who labels in the next round, and what is known of it. */
interface Teacher {
  /** 0 for the first teacher. */
  readonly round: number;
  /** Absent where the teacher is a file. */
  readonly trained: { readonly network: Network; readonly source: OpenedNetwork['source'] } | undefined;
  readonly labeller: Labeller;
  readonly folds: readonly FoldState[];
  readonly held: HeldOutPredictions | undefined;
}

const DEFAULT_FOLDS = 3;

/**
 * Self-training (Noisy Student, Xie et al. 2020, arXiv:1911.04252): a teacher labels the unlabelled images, a student
 * learns from these and the labelled ones with noise, becomes the teacher, and again.
 *
 * Rounds are judged on the labelled images, out of fold: each fold has a teacher that was trained without it, which labels some of
 * the images that are no copies of the fold's, and a student that learns from these and the other folds in a third of
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
    let best = await this.#begin();
    for (const [i, spec] of rounds.entries()) {
      const round = i + 1;
      const name = `round-${round}`;
      const labels = await this.#labels(name, best, this.#labelling);
      const judged = await this.#foldStudents(name, spec, best);
      const isShorter = round === 1 && judged.held !== undefined;
      let verdict = this.#verdict(judged.held, best, isShorter);
      let next: Teacher = { ...best, ...judged, round };
      if (verdict.isKept) {
        const trained = await this.#student(name, spec, labels);
        const labeller = this.#labeller(trained.network);
        const held = judged.held ?? (await this.#onValidation(labeller));
        if (judged.held === undefined) verdict = this.#verdict(held, best, false);
        next = { ...judged, round, trained, labeller, held };
      }
      this.#told(round, spec.opened.source.name, next.held, labels, verdict);
      if (!verdict.isKept) break;
      best = next;
      if (!verdict.goesOn) break;
    }
    if (final !== undefined) best = await this.#distilled(final, best);
    return { ...best.trained!, calibration: best.held };
  }

  #verdict(held: HeldOutPredictions | undefined, best: Teacher, isShorter: boolean): Verdict {
    const verdict = verdictOn(held, best.held, isShorter);
    // A teacher that is a file is no network to be kept.
    return best.trained === undefined ? { ...verdict, isKept: true } : verdict;
  }

  async #begin(): Promise<Teacher> {
    const { options, data, control } = this.#job;
    const { teacher: files, train } = options;
    const folds = data.validation.length > 0 ? [] : foldsOf(data.train, data, train.folds ?? DEFAULT_FOLDS, train.seed);
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
        states.push({ fold, unlabelled: unlabelled[k]!, labeller: this.#labeller(ofFold) });
      }
      const { source } = this.#job.networks.base;
      begun = { round: 0, trained: { network, source }, labeller: this.#labeller(network), folds: states };
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

  async #student(name: string, spec: RoundsNetwork, labels: MachineLabels): Promise<NonNullable<Teacher['trained']>> {
    const { options, data } = this.#job;
    const { opened, options: network } = spec;
    const used = labels.labels.filter((label) => label.used).length;
    const plan = studentPlan(options, network, { labelled: data.train.length, unlabelled: used });
    const stage = `${name}-student`;
    const student = await this.#stages.run(stage, (folder) =>
      trainStudent(this.#workshop, {
        opened,
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
    return { network: student, source: opened.source };
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
    for (const [k, { fold, unlabelled, labeller }] of folds.entries()) {
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
      students.push({ fold, unlabelled, labeller: this.#labeller(student) });
    }
    return { folds: students, held: await this.#outOfFold(name, students) };
  }

  /** What each fold's labeller says of the images that were held out of it. */
  async #outOfFold(name: string, folds: readonly FoldState[]): Promise<HeldOutPredictions> {
    const { train: samples, classes } = this.#job.data;
    const logits = new Float32Array(samples.length * classes.length);
    for (const [k, { fold, labeller }] of folds.entries()) {
      const { probabilities } = await this.#stages.run(`${name}-held-${k + 1}`, (folder) =>
        answerOf(labeller, fold.held, classes.length, folder),
      );
      for (const [i, sample] of fold.held.entries())
        logits.set(
          probabilities.subarray(i * classes.length, (i + 1) * classes.length).map(asLogit),
          samples.indexOf(sample) * classes.length,
        );
    }
    return this.#held(samples, logits, `out-of-fold predictions of ${samples.length} labelled images`);
  }

  async #onValidation(labeller: Labeller): Promise<HeldOutPredictions | undefined> {
    const { validation, classes } = this.#job.data;
    if (validation.length === 0) return undefined;
    const { probabilities } = await answerOf(labeller, validation, classes.length);
    return this.#held(validation, probabilities.map(asLogit), 'validation images');
  }

  #held(samples: readonly LabelledSample[], logits: Float32Array, foundOn: string): HeldOutPredictions {
    return {
      classes: this.#job.data.classes,
      logits,
      labels: samples.map(({ label }) => label),
      ids: samples.map(({ id }) => id),
      foundOn,
    };
  }

  /** A network of another size learns all that the teacher says, of every image. */
  async #distilled(spec: RoundsNetwork, best: Teacher): Promise<Teacher> {
    const how: LabellingOptions = { labels: 'soft', threshold: { kind: 'none' } };
    const labels = await this.#labels('final', best, how);
    const judged = await this.#foldStudents('final', spec, best, how);
    const trained = await this.#student('final', spec, labels);
    const labeller = this.#labeller(trained.network);
    const held = judged.held ?? (await this.#onValidation(labeller));
    const round = best.round + 1;
    this.#told(round, spec.opened.source.name, held, labels, { isKept: true, goesOn: false });
    return { ...judged, round, trained, labeller, held };
  }

  #labeller(network: Network): Labeller {
    const { views, train } = this.#job.options;
    const mirrored = train.flip === 'on' || (train.flip === 'auto' && methodOf(train) !== 'scratch');
    return networkLabeller(
      this.#workshop,
      network,
      { count: views, mirrored, seed: train.seed },
      train.maxPixels * 1e6,
    );
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
    held: HeldOutPredictions | undefined,
    labels: MachineLabels | undefined,
    { isKept, rise }: Verdict,
  ): void {
    const used = labels?.labels.filter((label) => label.used) ?? [];
    const score = held && scoreOf(held);
    this.#workshop.record({
      type: 'round',
      round,
      network,
      ...(score && { ...score, heldOut: held!.foundOn }),
      ...(labels && { unlabelled: labels.labels.length, used: used.length, prior: labels.prior }),
      ...(rise && { rise: rise.mean, riseInterval: rise.interval }),
      isKept,
    });
    const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
    const found =
      score === undefined
        ? ''
        : ` ${percent(score.accuracy)} right, negative log-likelihood ${score.nll.toFixed(3)}, on ${held!.foundOn}.`;
    const from = labels === undefined ? '' : ` ${used.length} of ${labels.labels.length} machine labels are used.`;
    const verdict = isKept ? '' : ' It is no better and is not kept.';
    this.#note(`${round === 0 ? 'First teacher' : `Round ${round}`}:${from}${found}${verdict}`);
  }
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

/** Without what is known of the classes of some images. */
function withoutRows(held: HeldOutPredictions, samples: readonly Sample[]): HeldOutPredictions {
  const k = held.classes.length;
  const left = new Set(samples.map(({ id }) => id));
  const rows = held.ids!.flatMap((id, row) => (left.has(id) ? [] : [row]));
  return {
    ...held,
    logits: Float32Array.from(rows.flatMap((row) => [...held.logits.subarray(row * k, (row + 1) * k)])),
    labels: rows.map((row) => held.labels[row]!),
    ids: rows.map((row) => held.ids![row]!),
  };
}

function asLogit(probability: number): number {
  return Math.log(Math.max(probability, 1e-30));
}
