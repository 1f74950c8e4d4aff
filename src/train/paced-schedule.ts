import type { Schedule } from '../optim/schedules.ts';

/** A schedule over a training whose length may change on its way: from there on it is gone through faster or slower, and without a jump. */
export class PacedSchedule {
  readonly #schedule: Schedule;
  readonly #steps: number;
  /** At step `from` the schedule is at `at`, and goes on by `pace` a step. */
  #from = 0;
  #at = 0;
  #pace = 1;

  /** @param steps that `schedule` spans */
  constructor(schedule: Schedule, steps: number) {
    this.#schedule = schedule;
    this.#steps = steps;
  }

  /** The factor on the peak learning rate at a step, counted from 0. */
  factor(step: number): number {
    return this.#schedule(this.#position(step));
  }

  /** After `step` steps: there are `steps` of them in all. */
  pace(step: number, steps: number): void {
    const at = this.#position(step);
    this.#pace = (this.#steps - at) / (steps - step);
    this.#from = step;
    this.#at = at;
  }

  #position(step: number): number {
    return this.#at + (step - this.#from) * this.#pace;
  }
}
