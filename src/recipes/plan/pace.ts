import type { TrainingSoFar, Workshop } from '../workshop/workshop.ts';
import { timeOf, type PlanSite } from './plan-site.ts';

/** By how much a stage may be late before its trainings are shortened: times vary. */
const TOLERANCE = 1.1;
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
 * Keeps a stage within its time where the machine has become slower than it was when the stage was planned: after an epoch, what is
 * left of a training is shortened so that it and those after it end in time. What is answered is a decision of the plan.
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

  /** The site's workshop, whose trainings are kept within the time. */
  get workshop(): Workshop {
    const { workshop } = this.#site;
    return this.#work.seconds > 0 ? { ...workshop, shorten: (training) => this.#epochs(training) } : workshop;
  }

  /** Share of the planned images that was left out, 0..1. */
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
        epochs: epochsInTime({ epoch, epochs, planned, seconds, later: later / images }, left),
        planned,
        images,
      };
    });
    if (paced.epochs < epochs) {
      workshop.record({ type: 'shortened', stage, epoch, epochs: paced.epochs, planned });
      workshop.onProgress?.({
        type: 'note',
        message: `The machine is slower than it was expected to be: ${stage} is of ${paced.epochs} epochs in place of ${epochs}, to end in time.`,
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
 * Epochs of a training that ends in time, together with those after it; as many as now where time suffices.
 * @param so `seconds` an epoch takes, and epochs of the same length in trainings that come `later`
 * @param left seconds
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
): number {
  const needed = (epochs - epoch + later) * seconds;
  if (needed <= TOLERANCE * left) return epochs;
  const fitting = epoch + Math.floor((epochs - epoch) * (Math.max(0, left) / needed));
  const least = Math.max(epoch + 1, Math.ceil(LEAST_SHARE * planned));
  return Math.min(epochs, Math.max(fitting, least));
}
