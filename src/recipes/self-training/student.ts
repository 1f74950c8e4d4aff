import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parsePolicy } from '../../augment/policy.ts';
import { readSafetensorsFile, writeSafetensorsFile } from '../../core/safetensors.ts';
import type { Sample } from '../../datasets/dataset.ts';
import type { MachineLabel } from '../../labelling/label-images.ts';
import { withWeights } from '../../train/weights.ts';
import { fit, type FitRequest } from '../training/fit.ts';
import type { Network } from '../networks/network.ts';
import { logitsOf } from './held-answers.ts';
import type { OpenedNetwork } from '../networks/opened-network.ts';
import type { LabelledSample } from '../prepare-data.ts';
import type { ResolvedSelfTrainOptions } from './self-train-options.ts';
import { methodOf } from '../method.ts';
import type { ResolvedTrainOptions } from '../train-options.ts';
import { planTraining, type TrainingPlan } from '../training/training-plan.ts';
import type { Workshop } from '../workshop/workshop.ts';
import { workshopFor } from '../workshop/workshop-for.ts';

/** What is added to the usual variation of images, so that a student learns more than its teacher knew (Xie et al. 2020, arXiv:1911.04252). */
const NOISE = 'randaugment(2,9)';
/** Images that a student sees, where nothing is said: pretrained, and from scratch. */
const ROUND_IMAGES = { finetune: 7_000, scratch: 20_000 } as const;
/** Of the training of a student, that of a student in a fold. */
const FOLD_SHARE = { finetune: 1 / 4, scratch: 1 / 2 } as const;

/** A training of a student. */
export interface StudentPlan {
  readonly plan: TrainingPlan;
  /** Places of an epoch for images with a label, and with a machine's. */
  readonly labelledDraws: number;
  readonly draws: number;
  /** Images that it sees in all. */
  readonly images: number;
}

/** @param pool labelled images, and how many more may be used */
export function studentPlan(
  { train, labelledShare, epochImages }: ResolvedSelfTrainOptions,
  network: ResolvedTrainOptions,
  pool: { readonly labelled: number; readonly unlabelled: number },
  isFold = false,
): StudentPlan {
  const method = methodOf(network) === 'scratch' ? 'scratch' : 'finetune';
  const perEpoch = Math.min(epochImages, Math.round(pool.unlabelled / (1 - labelledShare)));
  const labelledDraws = Math.max(1, Math.round(labelledShare * perEpoch));
  const draws = Math.max(1, perEpoch - labelledDraws);
  const usual = planTraining(network, method, pool.labelled + pool.unlabelled);
  const whole = train.epochs ?? Math.max(1, Math.round(ROUND_IMAGES[method] / perEpoch));
  const epochs = isFold ? Math.max(1, Math.round(whole * FOLD_SHARE[method])) : whole;
  const plan: TrainingPlan = {
    ...usual,
    epochs,
    warmupEpochs: train.warmupEpochs ?? epochs / 10,
    labelSmoothing: train.labelSmoothing ?? 0,
    blendShares: [1],
    augment: train.augment === undefined ? parsePolicy(`${usual.augment.text}|${NOISE}`) : usual.augment,
  };
  return { plan, labelledDraws, draws, images: epochs * (labelledDraws + draws) };
}

export interface StudentRequest {
  readonly opened: OpenedNetwork;
  /** What training goes on from; default: what it starts from otherwise. */
  readonly start: Network | undefined;
  readonly options: ResolvedTrainOptions;
  readonly plan: StudentPlan;
  readonly labelled: readonly LabelledSample[];
  readonly validation: readonly LabelledSample[];
  readonly unlabelled: readonly Sample[];
  /** Of each unlabelled image. */
  readonly labels: readonly MachineLabel[];
  /** Where all that a teacher says is learnt, softened by T: this, and what it says of each labelled image. */
  readonly distilled?: Distilled | undefined;
  readonly classes: readonly string[];
  readonly stage: string;
  readonly folder: string;
}

export interface Distilled {
  readonly temperature: number;
  readonly ofLabelled: readonly MachineLabel[];
}

/** What a teacher counts for beside labels, as in `distill`. */
const FINAL_ALPHA = 0.9;

/** Trains a student on images with labels and with machine labels, and keeps its weights: `student.safetensors`. */
export function trainStudent(workshop: Workshop, request: StudentRequest): Promise<Network> {
  const { opened, start, options, plan, labelled, validation, classes, stage, folder } = request;
  return workshopFor(workshop, opened.preprocessing, options.maxPixels * 1e6, async (own) => {
    const network = start ?? (await opened.begin(own, labelled, folder));
    const file = join(folder, 'student.safetensors');
    if (existsSync(file)) {
      const { tensors } = await readSafetensorsFile(file, { requireChecksum: true });
      return { ...network, graph: withWeights(network.graph, tensors) };
    }
    const checkpoints = join(folder, 'checkpoints');
    const { network: student, result } = await fit(own, {
      network,
      plan: plan.plan,
      options,
      train: labelled,
      ...learntFrom(request),
      draws: { labelled: plan.labelledDraws, others: plan.draws },
      validation,
      classes,
      stage,
      checkpoints,
    });
    await writeSafetensorsFile(file, result.weights);
    // What it would go on training from is many times as large.
    await rm(checkpoints, { recursive: true });
    return student;
  });
}

/** What a student learns beside labels: those of a machine, or all that it says. */
export function learntFrom({
  unlabelled,
  labels,
  labelled,
  distilled,
  classes,
}: Pick<StudentRequest, 'unlabelled' | 'labels' | 'labelled' | 'distilled' | 'classes'>): Pick<
  FitRequest,
  'machineLabelled' | 'unlabeled' | 'teaching'
> {
  if (distilled === undefined)
    return {
      machineLabelled: unlabelled.flatMap((sample, i) => {
        const { used, target, weight } = labels[i]!;
        return used && weight > 0 ? [{ ...sample, target, weight }] : [];
      }),
    };
  const { temperature, ofLabelled } = distilled;
  const said = [...labelled, ...unlabelled].map(({ id }, i): [string, Float32Array] => {
    const { target } = i < labelled.length ? ofLabelled[i]! : labels[i - labelled.length]!;
    return [id, logitsOf(target)];
  });
  return {
    unlabeled: unlabelled,
    teaching: {
      loss: {
        name: 'distillation',
        answers: 'kd',
        temperature,
        alpha: FINAL_ALPHA,
        hard: false,
        taught: { width: classes.length },
      },
      teachers: [],
      question: { temperature, mappings: undefined },
      once: true,
      said: new Map(said),
    },
  };
}
