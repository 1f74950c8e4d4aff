import { effectiveNumber } from '../../labelling/effective-number.ts';
import type { StepResult } from '../../train/training-step.ts';
import type { Workshop } from '../workshop/workshop.ts';

/** Events of a whole training. */
const EVENTS = 200;
/** Share of labels used under which next to nothing is learnt from unlabelled images. */
const HARDLY_ANY = 0.005;
/** Share of a training in which that is not worth a word. */
const PATIENCE = 0.15;
/** Of the classes among labelled images, a share that means that the others vanish. */
const FEW_CLASSES = 0.5;

export interface WatchOptions {
  readonly stage: string;
  readonly steps: number;
  /** Of each labelled image. */
  readonly labels: readonly number[];
}

/**
 * Follows what becomes of unlabelled images: records it, means over some steps each, and warns once where next to no
 * label is used for long, and where those that are used shrink to few classes.
 */
export class ConsistencyWatch {
  readonly #workshop: Pick<Workshop, 'record' | 'onProgress'>;
  readonly #options: WatchOptions;
  readonly #window: number;
  readonly #classes: number;
  #sums: Record<string, number> = {};
  #count = 0;
  /** Steps in a row, up to the last. */
  #unused = 0;
  #fewClasses = 0;
  readonly #told = new Set<string>();

  constructor(workshop: Pick<Workshop, 'record' | 'onProgress'>, options: WatchOptions) {
    this.#workshop = workshop;
    this.#options = options;
    this.#window = Math.max(1, Math.ceil(options.steps / EVENTS));
    this.#classes = effectiveNumber(countsOf(options.labels));
  }

  /** @param step counted from 1 */
  take(step: number, { metrics }: Pick<StepResult, 'metrics'>): void {
    for (const [name, value] of Object.entries(metrics)) this.#sums[name] = (this.#sums[name] ?? 0) + value;
    this.#count++;
    const { stage, steps } = this.#options;
    if (step % this.#window !== 0 && step !== steps) return;
    const means = Object.fromEntries(Object.entries(this.#sums).map(([name, sum]) => [name, sum / this.#count]));
    this.#workshop.record({ type: 'consistency', stage, step, ...means });
    const isUnused = means['used']! < HARDLY_ANY;
    this.#unused = isUnused ? this.#unused + this.#count : 0;
    const areFew = !isUnused && means['classesUsed']! < FEW_CLASSES * this.#classes;
    this.#fewClasses = areFew ? this.#fewClasses + this.#count : 0;
    [this.#sums, this.#count] = [{}, 0];
    if (this.#unused > PATIENCE * steps)
      this.#warn(
        'few-labels',
        step,
        `For ${this.#unused} steps, hardly any label of an unlabelled image passed the threshold of ${means['threshold']!.toFixed(2)} ` +
          `(mean confidence ${means['confidence']!.toFixed(2)}): the network learns from labelled images alone. A smaller --threshold, ` +
          'weaker --weak, more steps, or --method freematch, whose threshold adapts, is what helps.',
      );
    if (this.#fewClasses > PATIENCE * steps)
      this.#warn(
        'collapse',
        step,
        `For ${this.#fewClasses} steps, the labels used are of about ${means['classesUsed']!.toFixed(1)} classes, the labelled images of ` +
          `${this.#classes.toFixed(1)}: the others vanish. --align labelled, a larger --threshold or more labels of those classes is what helps.`,
      );
  }

  #warn(reason: string, step: number, message: string): void {
    if (this.#told.has(reason)) return;
    this.#told.add(reason);
    this.#workshop.record({ type: 'consistency-alarm', stage: this.#options.stage, step, reason, message });
    this.#workshop.onProgress?.({ type: 'warning', message });
  }
}

/** Of each class that there is. */
function countsOf(labels: readonly number[]): number[] {
  const counts = new Map<number, number>();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  return [...counts.values()];
}
