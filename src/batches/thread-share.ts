/** What was found about the threads that make training crops. */
export interface ThreadChoice {
  readonly threads: number;
  /** Share of the time that was spent waiting for images with the threads before, 0..1. */
  readonly waiting: number;
}

/** Batches that are looked at together. */
const WINDOW = 8;
/** A share of the time spent waiting that asks for no more threads. */
const ALLOWED = 0.02;

/**
 * How many threads make training crops: the fewest that keep ahead of whoever takes them. Each one more takes a core
 * from the engine now and then, and an engine whose threads wait for each other after every op feels it.
 */
export class ThreadShare {
  readonly #most: number;
  #threads = 1;
  #batches = 0;
  #waited = 0;
  #used = 0;
  #isJudged = false;

  /** @param most threads that there are */
  constructor(most: number) {
    this.#most = most;
  }

  get threads(): number {
    return this.#threads;
  }

  /**
   * Takes note of a batch.
   * @param waited time until it was there
   * @param used time until the next was asked for
   * @returns the choice, when it is made for the first time and whenever it changes
   */
  note(waited: number, used: number): ThreadChoice | undefined {
    this.#waited += waited;
    this.#used += used;
    if (++this.#batches < WINDOW) return undefined;
    const all = this.#waited + this.#used;
    const waiting = all === 0 ? 0 : this.#waited / all;
    const before = this.#threads;
    // Where images are waited for, a batch takes the threads there are all of that time, and it should take what is used.
    if (waiting > ALLOWED)
      this.#threads = Math.min(this.#most, Math.max(before + 1, Math.ceil((before * all) / this.#used)));
    const isNews = !this.#isJudged || this.#threads !== before;
    [this.#batches, this.#waited, this.#used, this.#isJudged] = [0, 0, 0, true];
    return isNews ? { threads: this.#threads, waiting } : undefined;
  }
}
