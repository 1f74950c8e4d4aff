import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { AbortedError, RunError } from '../core/errors.ts';
import { timed, timedSync, waited, type Track } from '../core/profile.ts';
import type { OnProgress } from '../core/progress.ts';
import type { Schedule } from '../optim/schedules.ts';
import type { Engine } from '../runtime/engine.ts';
import type { BatchSource, TrainingBatch } from './batch-source.ts';
import { allFinite, readCheckpoint, writeCheckpoint, type Counters, type TrainingState } from './checkpoint.ts';
import { compileStep } from './compile-step.ts';
import type { StepOptions } from './step-options.ts';
import { dropoutMask } from './dropout-mask.ts';
import type { NewEvent } from './events.ts';
import { EPOCH, WAITS } from './profile-summary.ts';
import { NotFiniteError, TrainingStep, type StepInput, type StepResult } from './training-step.ts';
import { PacedSchedule } from './paced-schedule.ts';
import { weightsOf, type Weights } from './weights.ts';

/** What trains from an epoch on: another phase means another step is built, the state goes on. */
export interface Phase {
  /** Counted from 1; the first phase has 1. */
  readonly fromEpoch: number;
  readonly step: StepOptions;
  /** Where this phase's batches come from, opened when it begins; default the loop's own source. */
  readonly openSource?: () => Promise<BatchSource>;
}

/** A phase that is open: its step as it starts, and where its batches come from. */
export interface OpenedPhase {
  readonly step: TrainingStep;
  readonly source: BatchSource;
}

export interface Validation {
  /** What the best checkpoint is chosen by: higher is better. */
  readonly score: number;
  /** 0..1 */
  readonly accuracy: number;
  readonly loss?: number;
}

/** How far a training is. */
export interface EpochsSoFar {
  /** Done, counted from 1. */
  readonly epoch: number;
  /** In all, as things stand; what is answered may be more or less, but more than are done. */
  readonly epochs: number;
  /** That an epoch takes, by the latest of this process; absent for epochs that were done before training was taken up again. */
  readonly seconds?: number;
}

export interface LoopOptions {
  readonly engine: Engine;
  readonly phases: readonly Phase[];
  readonly source: BatchSource;
  /** The first phase, where it was opened before. The loop closes it. */
  readonly opened?: OpenedPhase | undefined;
  readonly epochs: number;
  /** Over all steps of all epochs. */
  readonly schedule: Schedule;
  /** Peak learning rate of each group of parameters. */
  readonly rates: Readonly<Record<string, number>>;
  readonly seed: number;
  /** For random streams, events and messages. */
  readonly stage: string;
  /** Folder of `last.safetensors` and `best.safetensors`; what lies there is continued. */
  readonly checkpoints: string;
  /** Writes an event of the run. */
  readonly record: (event: NewEvent) => void;
  /** Scores weights on images that may be used for it; without it the last weights are the result. */
  readonly validate?: (weights: Weights, signal?: AbortSignal) => Promise<Validation>;
  /** Epochs without a better score before training stops; needs `validate`. */
  readonly patience?: number;
  /** Asked after each epoch but the last, for a training of one phase: of how many epochs it is to be. */
  readonly pace?: (so: EpochsSoFar) => Promise<number>;
  /** Seconds between checkpoints inside an epoch; default 120. */
  readonly saveEverySeconds?: number;
  /** Told of every step, counted from 1. */
  readonly onStep?: (step: number, result: StepResult) => void;
  readonly onProgress?: OnProgress;
  readonly signal?: AbortSignal;
  /** Measures where time goes. */
  readonly track?: Track | undefined;
  /** The same of what is written meanwhile. */
  readonly writing?: Track | undefined;
}

export interface LoopResult {
  /** The best by validation, else the last; averaged where averages are kept. */
  readonly weights: Weights;
  readonly epochs: number;
  readonly steps: number;
  readonly best: Counters['best'];
  readonly stoppedEarly: boolean;
}

/**
 * Trains for some epochs and continues where a checkpoint is found, so that a run that was killed ends with
 * the same bytes as one that was not. A checkpoint is saved at the end of the first epoch and of later ones, unless
 * they are so short that saving would take a twentieth of the time; now and then inside an epoch; and when the signal
 * fires. It is written while training goes on.
 * @throws AbortedError after saving, where the signal fires.
 * @throws RunError where loss or gradients are not finite, after saving the last good state; it names step and batch.
 */
export async function trainLoop(options: LoopOptions): Promise<LoopResult> {
  const loop = new Loop(options);
  try {
    await loop.start();
    return await loop.run();
  } finally {
    await loop.close();
  }
}

/** Of the time of training, at most. */
const SAVING_SHARE = 1 / 20;
/** Epochs that say how long the next ones take. */
const LATEST = 3;
/** The next epoch is prepared while so many steps of this one are left. */
const PREPARED_BEFORE = 2;

/** Mean of the latest; the first, whose caches are cold, counts where there is no other. */
function latest(seconds: readonly number[]): number {
  const counted = seconds.length > 1 ? seconds.slice(1).slice(-LATEST) : seconds;
  return counted.reduce((sum, value) => sum + value, 0) / Math.max(counted.length, 1);
}

class Loop {
  readonly #options: LoopOptions;
  readonly #last: string;
  readonly #best: string;
  /** In all, as things stand. */
  #epochs: number;
  readonly #schedule: PacedSchedule;
  #counters: Counters = { epoch: 0, stepInEpoch: 0, step: 0, lossSum: 0 };
  #phase: Phase | undefined;
  #step: TrainingStep | undefined;
  /** Until it is entered. */
  #opened: OpenedPhase | undefined;
  #source: BatchSource;
  /** From the checkpoint, until a step holds it. */
  #resumed: TrainingState | undefined;
  #savedAt = performance.now();
  #savingTook = 0;
  /** All checkpoints so far, one after the other. */
  #writing: Promise<void> = Promise.resolve();
  /** The last of those that training continues from. */
  #saving: Promise<void> = Promise.resolve();
  /** Whether the last checkpoint is what the step holds. */
  #isSaved = false;
  /** The last step that was fine, to tell a bad batch from bad weights. */
  #lastGood: StepInput | undefined;
  /** Time spent in steps, and their number, of this process. */
  #stepSeconds = 0;
  #stepsTaken = 0;
  /** Seconds a step with what it took to get its batch, of each epoch of this process. */
  readonly #secondsAStep: number[] = [];

  constructor(options: LoopOptions) {
    this.#options = options;
    this.#source = options.source;
    this.#opened = options.opened;
    this.#last = join(options.checkpoints, 'last.safetensors');
    this.#best = join(options.checkpoints, 'best.safetensors');
    if (!Number.isSafeInteger(options.epochs) || options.epochs < 1)
      throw new RangeError(`Training takes one epoch or more, got ${options.epochs}.`);
    this.#epochs = options.epochs;
    this.#schedule = new PacedSchedule(options.schedule, options.epochs * options.source.stepsPerEpoch);
    if (options.pace !== undefined && options.phases.length > 1)
      throw new RangeError('Phases begin at epochs that are fixed: their number does not change on the way.');
    if (options.phases[0]?.fromEpoch !== 1) throw new RangeError('The first phase must start at epoch 1.');
    if (options.patience !== undefined && options.validate === undefined)
      throw new RangeError('Patience needs a validation to wait for.');
  }

  async start(): Promise<void> {
    if (!existsSync(this.#last)) return;
    const { state, counters } = await readCheckpoint(this.#last);
    this.#counters = counters;
    this.#resumed = state;
    this.#options.record({ type: 'resume', stage: this.#options.stage, ...counters });
    for (let epoch = 1; epoch <= counters.epoch; epoch++) await this.#pace(epoch);
  }

  async run(): Promise<LoopResult> {
    const { patience } = this.#options;
    const isSpent = (): boolean =>
      patience !== undefined &&
      this.#counters.best !== undefined &&
      this.#counters.epoch - this.#counters.best.epoch >= patience;
    while (this.#counters.epoch < this.#epochs && !isSpent()) {
      await this.#enterPhase(this.#counters.epoch + 1);
      await this.#measuredEpoch();
    }
    if (this.#step !== undefined && !this.#isSaved) await this.#save();
    await this.#writing;
    const { epoch, step, best } = this.#counters;
    const weights =
      this.#options.validate === undefined
        ? weightsOf((await this.#step?.state()) ?? this.#resumed!)
        : weightsOf((await readCheckpoint(this.#best)).state);
    return { weights, epochs: epoch, steps: step, best, stoppedEarly: epoch < this.#epochs };
  }

  async close(): Promise<void> {
    // Why it failed was told to whoever waited for it, or what ended the loop comes first.
    await this.#writing.catch(() => {});
    await (this.#step ?? this.#opened?.step)?.release();
  }

  /** What happens in an epoch, in this thread and in the engine's, is measured as part of training. */
  async #measuredEpoch(): Promise<void> {
    const { engine, track } = this.#options;
    if (track === undefined) return this.#epoch();
    engine.training(true);
    track.training = true;
    try {
      await timed(track, EPOCH, () => this.#epoch(), 0, `${this.#options.stage} ${this.#counters.epoch + 1}`);
    } finally {
      track.training = false;
      engine.training(false);
    }
  }

  async #epoch(): Promise<void> {
    const { stage, onProgress } = this.#options;
    const source = this.#source;
    const epoch = this.#counters.epoch + 1;
    const [secondsBefore, stepsBefore] = [this.#stepSeconds, this.#stepsTaken];
    const began = performance.now();
    for await (const batch of waited(this.#options.track, WAITS.batch, this.#batches(epoch))) {
      this.#prepareNext(epoch);
      await this.#takeStep(epoch, batch);
      const { stepInEpoch, lossSum } = this.#counters;
      const seconds = this.#stepSeconds - secondsBefore;
      onProgress?.({
        type: 'step',
        stage,
        done: stepInEpoch * this.#step!.batchSize,
        total: source.stepsPerEpoch * this.#step!.batchSize,
        unit: 'images',
        loss: lossSum / stepInEpoch,
        rate: ((this.#stepsTaken - stepsBefore) * this.#step!.batchSize) / seconds,
      });
      if (performance.now() - this.#savedAt > (this.#options.saveEverySeconds ?? 120) * 1000) await this.#save();
    }
    const took = (performance.now() - began) / 1000;
    if (this.#stepsTaken > stepsBefore) this.#secondsAStep.push(took / (this.#stepsTaken - stepsBefore));
    await this.#stopIfAborted();
    if (this.#counters.stepInEpoch !== source.stepsPerEpoch)
      throw new RunError(
        `Epoch ${epoch} of ${stage} ended after ${this.#counters.stepInEpoch} steps; its source promised ${source.stepsPerEpoch}.`,
      );
    const loss = this.#counters.lossSum / source.stepsPerEpoch;
    const { step } = this.#counters;
    const validation = await timed(this.#options.track, 'validate', () => this.#validate(epoch));
    const { body, ...others } = this.#rates(step);
    const learningRate = body ?? Math.max(...Object.values(others));
    const secondsAnEpoch = source.stepsPerEpoch * latest(this.#secondsAStep);
    await this.#pace(epoch, secondsAnEpoch);
    const facts = {
      stage,
      epoch,
      epochs: this.#epochs,
      loss,
      learningRate,
      imagesPerSecond:
        ((this.#stepsTaken - stepsBefore) * this.#step!.batchSize) / Math.max(this.#stepSeconds - secondsBefore, 1e-9),
      ...(validation && { accuracy: validation.accuracy }),
    };
    // The event first: a kill in between repeats it, where the other order would lose it.
    const { record, track } = this.#options;
    const event = {
      type: 'epoch',
      ...facts,
      ...(validation && { score: validation.score }),
      ...(validation?.loss !== undefined && { validationLoss: validation.loss }),
    };
    timedSync(track, 'record', () => record(event));
    if (performance.now() - this.#savedAt > this.#savingTook / SAVING_SHARE) await this.#save();
    onProgress?.({
      type: 'epoch',
      ...facts,
      secondsLeft: (this.#epochs - epoch) * secondsAnEpoch,
    });
  }

  /** Before the epoch's checkpoint: who takes that up finds what was decided. @param seconds of an epoch */
  async #pace(epoch: number, seconds?: number): Promise<void> {
    const { pace } = this.#options;
    if (pace === undefined || epoch >= this.#epochs) return;
    const epochs = await pace({ epoch, epochs: this.#epochs, ...(seconds !== undefined && { seconds }) });
    if (epochs === this.#epochs) return;
    if (!Number.isSafeInteger(epochs) || epochs <= epoch)
      throw new RangeError(`After ${epoch} of ${this.#epochs} epochs, training can't be of ${epochs}.`);
    const { stepsPerEpoch } = this.#source;
    this.#schedule.pace(epoch * stepsPerEpoch, epochs * stepsPerEpoch);
    this.#epochs = epochs;
  }

  /** The batches of an epoch that are left; ends early, without an error, where the signal fires. */
  async *#batches(epoch: number): AsyncGenerator<TrainingBatch> {
    const { signal } = this.#options;
    try {
      for await (const batch of this.#source.epoch(epoch, this.#counters.stepInEpoch, signal)) {
        if (signal?.aborted) return;
        yield batch;
      }
    } catch (error) {
      if (!signal?.aborted) throw error;
    }
  }

  /** Has the next epoch's first batches made while the last steps of this one are taken. */
  #prepareNext(epoch: number): void {
    const { signal } = this.#options;
    const isNear = this.#source.stepsPerEpoch - this.#counters.stepInEpoch <= PREPARED_BEFORE;
    if (isNear && epoch < this.#epochs && this.#phaseOf(epoch + 1) === this.#phase)
      this.#source.prepare?.(epoch + 1, 0, signal);
  }

  async #takeStep(epoch: number, batch: TrainingBatch): Promise<void> {
    const { seed, stage } = this.#options;
    const step = this.#counters.step + 1;
    const input: StepInput = {
      batch,
      step,
      rates: this.#rates(step),
      drawMask: (mask, pass) => dropoutMask(mask, [seed, stage, 'dropout', step, pass, mask.input]),
    };
    const start = performance.now();
    let result: StepResult;
    try {
      const take = (): Promise<StepResult> => this.#step!.run(input);
      const name = this.#stepsTaken === 0 ? 'first step' : 'step';
      result = await timed(this.#options.track, name, take, this.#step!.batchSize);
    } catch (error) {
      if (error instanceof NotFiniteError) await this.#stopAtNotFinite(error, epoch, batch);
      throw error;
    }
    this.#stepSeconds += (performance.now() - start) / 1000;
    this.#stepsTaken++;
    this.#isSaved = false;
    this.#lastGood = input;
    const { stepInEpoch, lossSum } = this.#counters;
    this.#counters = { ...this.#counters, step, stepInEpoch: stepInEpoch + 1, lossSum: lossSum + result.loss };
    this.#options.onStep?.(step, result);
  }

  async #stopAtNotFinite(error: NotFiniteError, epoch: number, batch: TrainingBatch): Promise<never> {
    const { stage, record } = this.#options;
    const { step, stepInEpoch } = this.#counters;
    const shown = batch.ids.slice(0, 8).join(', ') + (batch.ids.length > 8 ? `, ${batch.ids.length - 8} more` : '');
    let kept = existsSync(this.#last)
      ? 'The weights had gone bad before; the last checkpoint is the last good state'
      : 'There is no good state to keep yet';
    if (await this.#stateIsGood()) {
      await this.#save();
      await this.#writing;
      kept = 'The state from before it is saved';
    }
    const message =
      `Stage ${stage} stopped at step ${step + 1} (epoch ${epoch}, batch ${stepInEpoch + 1} of it: ${shown}). ${error.message} ` +
      `${kept}. A smaller learning rate, or a bound on the gradient's norm, is what helps most often.`;
    record({ type: 'not-finite', stage, step: step + 1, epoch, batch: stepInEpoch + 1, ids: batch.ids, message });
    throw new NotFiniteError(message, { cause: error });
  }

  /** Whether a batch that was fine before still is: if not, the weights are to blame and not the batch at hand. */
  async #stateIsGood(): Promise<boolean> {
    if (this.#lastGood === undefined) return false;
    const state = await this.#step!.state();
    if (![...state.parameters.values(), ...state.buffers.values()].every(allFinite)) return false;
    const rates = Object.fromEntries(Object.keys(this.#options.rates).map((group) => [group, 0]));
    try {
      await this.#step!.run({ ...this.#lastGood, rates });
    } catch (error) {
      if (error instanceof NotFiniteError) return false;
      throw error;
    }
    await this.#step!.setState(state);
    return true;
  }

  /** Closes the epoch in the counters; until then, an interrupted run comes back to this point. */
  async #validate(epoch: number): Promise<Validation | undefined> {
    const { validate, stage, signal } = this.#options;
    const { step, best } = this.#counters;
    const closed = { epoch, stepInEpoch: 0, step, lossSum: 0 };
    if (validate === undefined) {
      this.#counters = closed;
      return undefined;
    }
    const weights = weightsOf(await this.#step!.state());
    let validation: Validation;
    try {
      validation = await validate(weights, signal);
    } catch (error) {
      await this.#stopIfAborted();
      throw error;
    }
    if (!Number.isFinite(validation.score))
      throw new RunError(`The validation of ${stage} gave a score of ${validation.score} in epoch ${epoch}.`);
    if (best === undefined || validation.score > best.score) {
      this.#counters = { ...closed, best: { score: validation.score, epoch } };
      const state = { parameters: weights, buffers: new Map(), optimizer: new Map() };
      this.#write(this.#best, () => state);
    } else this.#counters = { ...closed, best };
    return validation;
  }

  async #stopIfAborted(): Promise<void> {
    if (!this.#options.signal?.aborted) return;
    await this.#save();
    await this.#writing;
    throw new AbortedError(`Stopped in epoch ${this.#counters.epoch + 1}; what was trained is saved.`);
  }

  async #save(): Promise<void> {
    await timed(this.#options.track, 'checkpoint', async () => {
      // One copy of the state at a time; and a disk that is full ends training here.
      await this.#saving;
      const start = performance.now();
      this.#write(this.#last, await this.#step!.snapshot());
      this.#savedAt = performance.now();
      this.#isSaved = true;
      this.#saving = this.#writing.then(() => {
        this.#savedAt = performance.now();
        this.#savingTook = this.#savedAt - start;
      });
      this.#saving.catch(() => {});
    });
  }

  /** Writes behind what is being written, while training goes on; whoever needs it waits for `#writing`. */
  #write(path: string, state: () => TrainingState): void {
    const counters = this.#counters;
    const write = (): Promise<void> => writeCheckpoint(path, { state: state(), counters });
    this.#writing = this.#writing
      // The next step is handed to the engine first: laying out the state and its checksum keep this thread busy.
      .then(() => setImmediate())
      .then(() => timed(this.#options.writing, 'write a checkpoint', write));
    this.#writing.catch(() => {});
  }

  /** Builds the step of the phase that an epoch is in, where it is another; the state goes on. */
  async #enterPhase(epoch: number): Promise<void> {
    const phase = this.#phaseOf(epoch);
    if (phase === this.#phase) return;
    const state = (await this.#step?.state()) ?? this.#resumed;
    await this.#step?.release();
    const opened = this.#opened;
    this.#opened = undefined;
    this.#step = opened?.step;
    this.#lastGood = undefined;
    // What the phase before had cached must be gone before this one fills the memory.
    this.#source = this.#options.source;
    if (opened !== undefined) this.#source = opened.source;
    else if (phase.openSource !== undefined) this.#source = await phase.openSource();
    this.#source.prepare?.(epoch, this.#counters.stepInEpoch, this.#options.signal);
    const { engine, track } = this.#options;
    if (this.#step === undefined) {
      const compiled = timedSync(track, 'compile the step', () => compileStep(phase.step));
      this.#step = await timed(track, 'load the step', () => TrainingStep.open(engine, compiled, state));
    }
    this.#phase = phase;
  }

  #phaseOf(epoch: number): Phase {
    return this.#options.phases.findLast(({ fromEpoch }) => fromEpoch <= epoch)!;
  }

  /** At a step counted from 1. */
  #rates(step: number): Record<string, number> {
    const factor = this.#schedule.factor(step - 1);
    return Object.fromEntries(Object.entries(this.#options.rates).map(([group, peak]) => [group, peak * factor]));
  }
}
