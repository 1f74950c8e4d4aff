import type { AbstainThreshold } from '../evaluate/abstain.ts';
import type { Evaluation } from '../evaluate/evaluation.ts';

/**
 * All that a report says of a run. Whatever a run has nothing of is absent, and the report leaves it out.
 * Texts are data: class and file names may hold anything, and are escaped where they are shown.
 */
export interface RunSummary {
  /** What the run is called: usually its folder. */
  readonly name: string;
  readonly state?: 'finished' | 'interrupted' | 'failed' | 'running';
  /** `finetune`, `probe`, `scratch`, ... */
  readonly method?: string;
  /** ISO 8601. */
  readonly startedAt?: string;
  readonly seconds?: number;
  /** What the reader must know before believing a figure. */
  readonly warnings?: readonly string[];

  /** The score of the run. */
  readonly evaluation?: Evaluation;
  /** What images `evaluation` is on: `test`, `val`, `a fifth that nothing else saw`. */
  readonly scoredOn?: string;
  /** Scores of other images (validation, folds of the labelled ones); never what the run is judged by. */
  readonly otherScores?: readonly OtherScore[];
  /** Each time the test images were looked at. */
  readonly testOpenings?: readonly TestOpening[];
  readonly abstain?: AbstainSummary;
  /** `data:` URIs of images (PNG, JPEG or WebP) by the id of a mistake. */
  readonly pictures?: Readonly<Record<string, string>>;

  /** Of a plan: which stages were done, and why. */
  readonly plan?: PlanSummary;
  /** Of a network that others taught. */
  readonly teacher?: TeacherSummary;
  readonly data?: DataSummary;
  readonly network?: NetworkSummary;
  readonly stages?: readonly StageSummary[];
  /** Of self-training; the first is the first teacher. */
  readonly rounds?: readonly RoundSummary[];
  /** Of the last round in which a machine labelled images. */
  readonly machineLabels?: MachineLabelsSummary;
  /** The exported files, the float32 model first. */
  readonly variants?: readonly VariantSummary[];

  /** Every option as it was resolved. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly environment?: EnvironmentSummary;
  readonly commands?: readonly { readonly purpose: string; readonly command: string }[];
}

export interface OtherScore {
  readonly name: string;
  readonly accuracy: number;
  readonly interval?: readonly [low: number, high: number];
  readonly n: number;
}

export interface PlanSummary {
  /** Seconds. */
  readonly budget: number;
  readonly stages: readonly PlanStageSummary[];
  /** What the reader should know of the data. */
  readonly remarks?: readonly string[];
  /** Of the accuracy on new images, from the labelled images alone, and how it was found. */
  readonly estimate?: {
    readonly accuracy: number;
    readonly interval: readonly [low: number, high: number];
    readonly found: string;
  };
}

export interface PlanStageSummary {
  readonly stage: string;
  readonly state: string;
  /** In words, with figures. */
  readonly why: string;
  /** Seconds, as they were expected and were. */
  readonly planned?: number;
  readonly seconds?: number;
  /** On the images of the score, of a stage whose network is not the model. */
  readonly accuracy?: number;
}

export interface TeacherSummary {
  /** Who taught what and how, a line each. */
  readonly lines: readonly string[];
  /** Absent where teacher and student have different classes. */
  readonly agreement?: {
    /** Share of images for which both hold one class for the most probable, 0..1. */
    readonly agreement: number;
    readonly agreementInterval: readonly [low: number, high: number];
    /** Mean of KL(teacher || student), in nats. */
    readonly kl: number;
    /** What images, in words. */
    readonly comparedOn: string;
  };
}

export interface TestOpening {
  /** What for. */
  readonly reason: string;
  /** ISO 8601. */
  readonly at?: string;
}

export interface AbstainSummary {
  /** Share, 0..1. */
  readonly wantedPrecision: number;
  /** Absent where it was never reached. */
  readonly result?: AbstainThreshold;
  /** What images it was found on: `out-of-fold predictions of 100 labelled images`. */
  readonly foundOn?: string;
}

export interface DataSummary {
  readonly source?: string;
  /** SHA-256 of names, splits, labels and content. */
  readonly fingerprint?: string;
  readonly classes: readonly ClassCounts[];
  readonly unlabeled?: number;
  readonly quarantined?: readonly { readonly file: string; readonly reason: string }[];
  readonly duplicates?: {
    /** Groups of images that are copies or near copies of each other; a group is never split. */
    readonly groups: number;
    readonly images: number;
    readonly examples?: readonly (readonly string[])[];
  };
  /** How many groups that images were put into, which are never split; absent without any. */
  readonly groups?: number;
  /** The same image under several labels: left out until a person decides. */
  readonly conflicts?: readonly { readonly files: readonly string[]; readonly labels: readonly string[] }[];
  /** Copies, and images of one group, across ready-made splits. */
  readonly leaks?: { readonly pairs: readonly (readonly [string, string])[]; readonly dropped: boolean };
  /** Hidden folders and the like. */
  readonly ignored?: readonly string[];
}

export interface ClassCounts {
  readonly name: string;
  /** Images by split: `{ train: 10, test: 55 }`. */
  readonly counts: Readonly<Record<string, number>>;
}

export interface NetworkSummary {
  readonly name: string;
  /** Where it came from: a file, a URL, or built in. */
  readonly source?: string;
  readonly sha256?: string;
  readonly parameters?: number;
  readonly trainedParameters?: number;
  /** Of one image, forward. */
  readonly multiplyAdds?: number;
  /** In words, and where each value came from. */
  readonly preprocessing?: string;
}

export interface StageSummary {
  readonly name: string;
  readonly seconds?: number;
  readonly epochs: readonly EpochSummary[];
  /** Whose weights were kept, counted from 1, and why. */
  readonly kept?: { readonly epoch: number; readonly reason: string };
  /** What became of unlabelled images, where they were learnt from. */
  readonly unlabeled?: readonly UnlabeledSummary[];
}

/** Means over the steps since the one before. */
export interface UnlabeledSummary {
  /** Counted from 1. */
  readonly step: number;
  /** What labels count for in the mean, 0..1: with a threshold, the share that is used. */
  readonly used: number;
  /** 0..1 */
  readonly confidence: number;
  /** Of confidence, in the mean of the classes, 0..1. */
  readonly threshold: number;
  /** Of how many classes the labels in use are, counting a class by its share. */
  readonly classesUsed: number;
}

/** A round of self-training: what a teacher's labels were, and what became of the student. */
export interface RoundSummary {
  /** 0 is the first teacher. */
  readonly round: number;
  /** Its student's. */
  readonly network: string;
  /** Unlabelled images, and how many of them are used with a machine label. */
  readonly unlabelled?: number;
  readonly used?: number;
  /** Of the unlabelled images, how many look like none of the classes. */
  readonly setAside?: number;
  /** Of the labels used, estimated out of fold, 0..1. */
  readonly expectedRight?: number;
  /** Of the student on held-out images, 0..1; which ones, in words. */
  readonly accuracy?: number;
  readonly heldOut?: string;
  /** By how much its answers are likelier than those of the best before: log-likelihood an image, with a 95 % interval. */
  readonly rise?: number;
  readonly riseInterval?: readonly [low: number, high: number];
  readonly isKept: boolean;
  /** Why not. */
  readonly reasons?: readonly string[];
}

export interface MachineLabelsSummary {
  readonly round: string;
  /** Labelled by the machine, and of these used, and those that look like none of the classes. */
  readonly images: number;
  readonly used: number;
  readonly setAside: number;
  /** In the run's folder: all of them. */
  readonly file: string;
  readonly examples: readonly { readonly title: string; readonly labels: readonly MachineLabelExample[] }[];
}

export interface MachineLabelExample {
  readonly file: string;
  readonly label: string;
  /** 0..1 */
  readonly probability: number;
  /** Calibrated, of being right, 0..1. */
  readonly chance?: number;
  /** The label of the round before, where it was another. */
  readonly before?: string;
  /** `data:` URI. */
  readonly picture?: string | undefined;
}

export interface EpochSummary {
  /** Counted from 1. */
  readonly epoch: number;
  /** Mean over the epoch. */
  readonly loss: number;
  readonly learningRate?: number;
  readonly imagesPerSecond?: number;
  /** On validation images, 0..1. */
  readonly accuracy?: number;
  /** On validation images. */
  readonly validationLoss?: number;
}

export interface VariantSummary {
  /** `float32`, `bare`, `float16`, `int8`. */
  readonly name: string;
  readonly file: string;
  readonly bytes: number;
  readonly accuracy?: number;
  readonly interval?: readonly [low: number, high: number];
  /** Of one image in a batch of one, on this machine: median. */
  readonly millisecondsPerImage?: number;
  /** From the float32 model's probabilities, over the images it was measured on. */
  readonly largestDifference?: number;
  readonly note?: string;
}

export interface EnvironmentSummary {
  readonly gleaner?: string;
  readonly engine?: string;
  readonly device?: string;
  readonly threads?: number;
  readonly node?: string;
  readonly platform?: string;
  readonly processor?: string;
}
