import type { TrainingSoFar, Workshop } from '../workshop/workshop.ts';
import { timeOf, type PlanSite } from './plan-site.ts';

/** By how much a stage may be late before its trainings are shortened, and of the time that seems to be left what is kept where they become longer: times vary. */
const TOLERANCE = 1.1;
/** Of the planned epochs, the least by which a training becomes longer. */
const LEAST_GROWTH = 0.05;
/** Of the epochs that a training began with, the least that are left to it: a student of fewer learns too little. */
const LEAST_SHARE = 1 / 2;

/** What a stage was planned to be. */
export interface PlannedWork {
  /** That all of its trainings see. */
  readonly images: number;
  /** Seconds it is expected to take; 0 where it is as short as it may be, and nothing is left out of it. */
  readonly seconds: number;
  /** Of these, what is not for training on images. */
  readonly besides: number;
  /** Of the images, so many times as many may be trained on where there is time; default as many. */
  readonly longest?: number;
  /** Seconds that it may take where others come after it; default all that are left. */
  readonly most?: number;
}

/** What is written down after an epoch. */
interface Paced {
  readonly epochs: number;
  /** That the training began with. */
  readonly planned: number;
  /** Of an epoch. */
  readonly images: number;
}

/**
 * Keeps a stage within its time where the machine is slower, or faster, than it was when the stage was planned: after an epoch, what
 * is left of a training becomes shorter so that it and those after it end in time, or longer where time is left. What is answered is a decision of the plan.
 */
export class Pace {
  readonly #site: PlanSite;
  readonly #name: string;
  readonly #work: PlannedWork;
  readonly #began: number;

  /** @param stage of the plan */
  constructor(site: PlanSite, stage: string, work: PlannedWork) {
    this.#site = site;
    this.#name = `pace of ${stage}: `;
    this.#work = work;
    this.#began = site.decisions.spent;
  }

  /** The site's workshop, whose trainings take the time that is there. */
  get workshop(): Workshop {
    const { workshop } = this.#site;
    return this.#work.seconds > 0 ? { ...workshop, pace: (training) => this.#epochs(training) } : workshop;
  }

  /** Share of the planned images that was left out, up to 1; below 0 where there were more. */
  get leftOut(): number {
    let images = 0;
    for (const { epochs, planned, images: each } of this.#trainings().values()) images += (planned - epochs) * each;
    return images / this.#work.images;
  }

  async #epochs(training: TrainingSoFar): Promise<number> {
    const { stage, epoch, epochs, planned, images, seconds } = training;
    const { decisions, workshop } = this.#site;
    const paced = await decisions.decide(`${this.#name}${stage} ${epoch}`, (): Paced => {
      if (seconds === undefined) return { epochs, planned, images };
      const others = [...this.#trainings()].filter(([name]) => name !== stage);
      const begun = others.reduce((sum, [, other]) => sum + other.planned * other.images, planned * images);
      const later = Math.max(0, this.#work.images - begun);
      const share = (later + (planned - epoch) * images) / this.#work.images;
      const left = this.#left() - share * this.#work.besides;
      return {
        epochs: epochsInTime({ epoch, epochs, planned, seconds, later: later / images }, left, this.#work.longest ?? 1),
        planned,
        images,
      };
    });
    if (paced.epochs !== epochs) {
      workshop.record({ type: 'pace', stage, epoch, epochs: paced.epochs, before: epochs, planned });
      const [why, to] =
        paced.epochs < epochs
          ? ['The machine is slower than it was expected to be', 'end in time']
          : ['There is time', 'use it'];
      workshop.onProgress?.({
        type: 'note',
        message: `${why}: ${stage} is of ${paced.epochs} epochs in place of ${epochs}, to ${to}.`,
      });
    }
    return paced.epochs;
  }

  #left(): number {
    const { left } = timeOf(this.#site);
    const { most } = this.#work;
    return most === undefined ? left : Math.min(left, most - (this.#site.decisions.spent - this.#began));
  }

  /** As they stand, by their names. */
  #trainings(): Map<string, Paced> {
    const { decisions } = this.#site;
    // In the order in which they were decided: the last of each counts.
    const entries = decisions.withPrefix<Paced>(this.#name);
    return new Map(entries.map(([key, paced]) => [key.slice(0, key.lastIndexOf(' ')), paced]));
  }
}

/**
 * Epochs of a training that ends in time, together with those after it; as many as now where that suffices and leaves little.
 * @param so `seconds` an epoch takes, and planned epochs of the same length in trainings that come `later`
 * @param left seconds
 * @param longest of the planned epochs, so many times as many at most; at least 1
 */
export function epochsInTime(
  {
    epoch,
    epochs,
    planned,
    seconds,
    later,
  }: Required<Pick<TrainingSoFar, 'epoch' | 'epochs' | 'planned' | 'seconds'>> & { readonly later: number },
  left: number,
  longest: number,
): number {
  const most = Math.floor(longest * planned);
  // All trainings that are left change by the same share. One that stands behind its planned end has none of its own.
  const rest = Math.max(1, planned - epoch);
  const fits = Math.max(0, left) / ((rest + later) * seconds);
  const now = (epochs - epoch) / rest;
  const least = Math.max(epoch + 1, Math.ceil(LEAST_SHARE * planned));
  const fitting = (share: number): number => Math.min(most, Math.max(least, epoch + Math.floor(share * rest)));
  if (now > TOLERANCE * fits) return Math.min(epochs, fitting(fits));
  // Times vary: not all that seems to be left is taken.
  const longer = fitting(fits / TOLERANCE);
  return longer - epochs >= LEAST_GROWTH * planned ? longer : epochs;
}
