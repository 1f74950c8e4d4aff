import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parsePolicy } from '../../augment/policy.ts';
import { decisions } from '../../evaluate/predictions.ts';
import type { RunEvent } from '../../train/events.ts';
import { fit } from '../training/fit.ts';
import { predictionsOf } from '../results/held-out-predictions.ts';
import type { Network } from '../networks/network.ts';
import type { LabelledSample } from '../prepare-data.ts';
import type { ResolvedTrainOptions } from '../train-options.ts';
import type { TrainingPlan } from '../training/training-plan.ts';
import type { Workshop } from '../workshop/workshop.ts';

export interface TrialRequest {
  readonly policy: string;
  readonly epochs: number;
  readonly seed: number;
  /** Names the images that are trained and scored on, in the key of the trial. */
  readonly part: string;
  readonly train: readonly LabelledSample[];
  readonly held: readonly LabelledSample[];
  /** A network that the training goes on from; default: what every training on the part begins with. */
  readonly start?: (() => Promise<Network>) | undefined;
}

/** Of each held image, in their order. */
export interface TrialResult {
  readonly right: readonly boolean[];
  /** Negative log-likelihood of the true class. */
  readonly nll: readonly number[];
  readonly seconds: number;
}

/**
 * Trainings under a policy, scored on images that they did not see. Each is recorded in the run once it is done; a run that
 * is taken up again finds it there.
 */
export class PolicyTrials {
  readonly #done = new Map<string, TrialResult>();
  readonly #workshop: Workshop;
  readonly #plan: TrainingPlan;
  readonly #options: ResolvedTrainOptions;
  readonly #classes: readonly string[];
  readonly #folder: string;
  /** What training on a part starts from. */
  readonly begin: (samples: readonly LabelledSample[], part: string) => Promise<Network>;
  /** Of all trials asked for so far. */
  seconds = 0;
  count = 0;

  constructor(options: {
    readonly workshop: Workshop;
    readonly plan: TrainingPlan;
    readonly options: ResolvedTrainOptions;
    readonly classes: readonly string[];
    /** For checkpoints of trials under way. */
    readonly folder: string;
    readonly begin: (samples: readonly LabelledSample[], part: string) => Promise<Network>;
    /** Of the run so far. */
    readonly events: readonly RunEvent[];
  }) {
    // What a trial tells would bury what the search tells.
    this.#workshop = { ...options.workshop, onProgress: undefined };
    this.#plan = options.plan;
    this.#options = options.options;
    this.#classes = options.classes;
    this.#folder = options.folder;
    this.begin = options.begin;
    for (const event of options.events)
      if (event.type === 'trial') this.#done.set(event['key'] as string, event['result'] as TrialResult);
  }

  async run(request: TrialRequest): Promise<TrialResult> {
    const key = keyOf(request);
    const known = this.#done.get(key) ?? (await this.#train(request, key));
    this.#done.set(key, known);
    this.seconds += known.seconds;
    this.count++;
    return known;
  }

  /** The network of a trial; trained again where only its result is known. */
  async network(request: TrialRequest): Promise<Network> {
    const { policy, epochs, seed, part, train, start } = request;
    const { network } = await fit(this.#workshop, {
      network: await (start === undefined ? this.begin(train, part) : start()),
      plan: { ...this.#plan, augment: parsePolicy(policy), epochs, warmupEpochs: epochs / 10 },
      options: { ...this.#options, seed },
      train,
      validation: [],
      classes: this.#classes,
      // The same for all: arms that are compared draw the same orders of images.
      stage: 'trial',
      passes: `trial of ${train.length} images`,
      checkpoints: this.#checkpoints(request),
    });
    return network;
  }

  /** A trial that was interrupted goes on where it was. */
  #checkpoints(request: TrialRequest): string {
    return join(this.#folder, createHash('sha256').update(keyOf(request)).digest('hex').slice(0, 16));
  }

  async #train(request: TrialRequest, key: string): Promise<TrialResult> {
    const start = performance.now();
    const { seed, epochs, part, policy, held } = request;
    const network = await this.network(request);
    const predictions = await predictionsOf(this.#workshop, network, { classes: this.#classes }, held, 'a trial');
    const rows = decisions(predictions);
    const result: TrialResult = {
      right: rows.map(({ label, predicted }) => label === predicted),
      nll: rows.map(({ nll }) => Math.round(nll * 1e5) / 1e5),
      seconds: (performance.now() - start) / 1000,
    };
    this.#workshop.record({ type: 'trial', key, policy, epochs, seed, part, result });
    await rm(this.#checkpoints(request), { recursive: true, force: true });
    return result;
  }
}

function keyOf({ policy, epochs, seed, part, start }: TrialRequest): string {
  return JSON.stringify([policy, epochs, seed, start === undefined ? part : `${part}, on`]);
}

export function accuracyOf(results: readonly Pick<TrialResult, 'right'>[]): number {
  const all = results.flatMap(({ right }) => right);
  return all.filter(Boolean).length / all.length;
}
