import type { Tensor } from '../core/tensor.ts';
import { attentionTransfer } from '../losses/attention-transfer.ts';
import { contrastiveDistillation } from '../losses/contrastive-distillation.ts';
import { crossEntropy } from '../losses/cross-entropy.ts';
import { decoupledDistillation } from '../losses/decoupled-distillation.ts';
import { dist } from '../losses/dist.ts';
import { distillation } from '../losses/distillation.ts';
import { featureDistance } from '../losses/feature-distance.ts';
import { relationalDistillation } from '../losses/relational-distillation.ts';
import type { GraphBuilder } from '../onnx/builder.ts';
import { Fragment } from './consistency/fragment.ts';
import type { Objective, ObjectiveValues } from './objective.ts';

/** How the student's answers are compared with the teacher's; `none`: labels and features alone. */
export const ANSWER_LOSSES = ['kd', 'dkd', 'dist', 'none'] as const;
export type AnswerLoss = (typeof ANSWER_LOSSES)[number];

/** What else of the two networks is compared. */
export const FEATURE_LOSSES = ['hint', 'cosine', 'attention', 'rkd', 'crd'] as const;
export type FeatureLoss = (typeof FEATURE_LOSSES)[number];

/** Learning from a teacher, as plain data. */
export interface DistillationLoss {
  readonly name: 'distillation';
  readonly answers: AnswerLoss;
  /** T, over 0: what both sides' logits are divided by. */
  readonly temperature: number;
  /** What the teacher's answers count for, 0..1; labels count for the rest. */
  readonly alpha: number;
  /** Whether the teacher's most probable class is the label, in place of its distribution. Of `kd` alone. */
  readonly hard: boolean;
  /** The teacher's logits, a target [M] a sample, and what of the student answers to them. */
  readonly taught: {
    readonly width: number;
    /** The student's classes that they are of, M of them in the teacher's order; default all. */
    readonly classes?: readonly number[];
    /** The output that stands for the student's logits: a second head, as wide as the teacher's answer. */
    readonly head?: string;
    /** Whether the teacher is the moving average of the student's own weights, of which `halfLife` is known; no target then. */
    readonly average?: boolean;
  };
  /** Of that average, in samples. */
  readonly halfLife?: number;
  readonly features?: {
    readonly loss: FeatureLoss;
    /** What it counts for beside the rest, over 0. */
    readonly weight: number;
    /** The student's output that is compared, projected where the loss needs one width. */
    readonly output: string;
    /** Of a sample's target: the teacher's embedding [D], or its map [C, H, W]. */
    readonly shape: readonly number[];
  };
  /** Of labels; default 0. */
  readonly smoothing?: number;
  /** Of labels: what each class counts for. */
  readonly classWeights?: readonly number[];
}

/** The targets that a batch brings. */
export const TEACHER = { logits: 'teacher_logits', features: 'teacher_features' } as const;

/**
 * alpha T² KL(p_teacher^T || p_student^T) + (1 - alpha) cross-entropy at T = 1, each the sum over classes and the mean over the
 * images of a step (Hinton et al. 2015, arXiv:1503.02531, section 2), with another loss in the place of the first where it is
 * asked for, and features compared beside it. Labels are distributions [N, K]: an image without a label has a row of zeros,
 * counts in the first term alone, and in the divisor of both, so that the gradient of a step is the expected one of the whole
 * set however a batch is put together. No gradient passes the targets: they are inputs.
 *
 * Where the student's own average is the teacher (mean teacher, Tarvainen and Valpola 2017, arXiv:1703.01780, with this loss in
 * place of the squared error), it sees the pixels that the student sees, without dropout, and its answers are constants. There is
 * no ramp: at first both are one network, and the first term is 0.
 *
 * Losses that compare images with each other (`dist`, `rkd`, `crd`) do so within a pass.
 * @throws RangeError where parts do not go together
 */
export function distillationObjective(options: DistillationLoss): Objective {
  checkTogether(options);
  const { alpha, taught, features } = options;
  const answers = options.answers !== 'none' && alpha > 0;
  const isOwn = taught.average === true && answers;
  return {
    rows: 1,
    ...(isOwn && { averaged: 'all' as const }),
    outputs: [
      ...(answers && taught.head !== undefined ? [taught.head] : []),
      ...(features === undefined ? [] : [features.output]),
    ],
    targets: new Map([
      ...(answers && !isOwn ? [[TEACHER.logits, [taught.width]] as const] : []),
      ...(features === undefined ? [] : [[TEACHER.features, features.shape] as const]),
    ]),
    state: isOwn ? Fragment.statesOfRate() : new Map(),
    divisor: (labels, _, sampleWeights) => sumOfWeights(labels, sampleWeights),
    add(b, values) {
      const terms = [answersLoss, labelsLoss, featuresLoss].flatMap((term) => term(b, options, values) ?? []);
      const sum = terms.reduce((total, term) => b.op('Add', [total, term]));
      const loss = b.op('Mul', [sum, values.scale], {}, { name: 'loss' });
      if (!isOwn) return { loss };
      const { state } = values;
      const { halfLife = Number.NaN } = options;
      if (!(halfLife > 0 && Number.isFinite(halfLife)))
        throw new RangeError(`The half-life of the average must be finite and over 0, got ${halfLife}.`);
      const f = new Fragment({ builder: b, samples: b.shape(values.logits)[0]!, halfLife, state });
      return { loss, constants: [values.averaged!], averageRate: f.rate, state: f.next };
    },
  };
}

function checkTogether({ answers, alpha, temperature, hard, taught, features }: DistillationLoss): void {
  if (!(alpha >= 0 && alpha <= 1)) throw new RangeError(`alpha must be in 0..1, got ${alpha}.`);
  if (!(temperature > 0 && Number.isFinite(temperature)))
    throw new RangeError(`The temperature must be finite and over 0, got ${temperature}.`);
  if (hard && answers !== 'kd') throw new RangeError(`Hard answers go with "kd", got "${answers}".`);
  if (answers === 'none' && features === undefined)
    throw new RangeError('Without answers, features of the teacher must be compared, or nothing is learnt from it.');
  if (taught.head !== undefined && taught.classes !== undefined)
    throw new RangeError('A second head answers to all that the teacher says, not to chosen classes.');
  if (taught.average === true && (taught.head !== undefined || taught.classes !== undefined || features !== undefined))
    throw new RangeError("The student's own average has its classes and one head, and its features are not compared.");
  if (features !== undefined && !(features.weight > 0 && Number.isFinite(features.weight)))
    throw new RangeError(`The weight of features must be finite and over 0, got ${features.weight}.`);
}

function sumOfWeights({ shape: [count] }: Tensor, sampleWeights: Tensor | undefined): number {
  const weights = sampleWeights?.data as Float32Array | undefined;
  const sum = weights === undefined ? count! : weights.reduce((total, weight) => total + weight, 0);
  if (!(sum > 0)) throw new RangeError(`The weights of a step's ${count} samples must sum to more than 0, got ${sum}.`);
  return sum;
}

/** alpha times the sum over samples, or undefined where it counts for nothing. */
function answersLoss(b: GraphBuilder, options: DistillationLoss, values: ObjectiveValues): string | undefined {
  const { answers, alpha, temperature, hard, taught } = options;
  if (answers === 'none' || alpha === 0) return undefined;
  const teacher = { logits: taught.average === true ? values.averaged! : values.targets.get(TEACHER.logits)! };
  const own = taught.head === undefined ? values.logits : values.outputs.get(taught.head)!;
  const logits = taught.classes === undefined ? own : b.op('Gather', [own, b.int([...taught.classes])], { axis: 1 });
  const reduction = { reduction: 'sum', ...(values.sampleWeights && { sampleWeights: values.sampleWeights }) } as const;
  const softened = { ...reduction, temperature };
  switch (answers) {
    case 'kd':
      return times(b, distillation(b, logits, teacher, hard ? { ...reduction, targets: 'hard' } : softened), alpha);
    case 'dkd': {
      const labels = logits === values.logits ? trueOrTaught(b, values, teacher.logits) : undefined;
      return times(b, decoupledDistillation(b, logits, teacher, { ...softened, ...(labels && { labels }) }), alpha);
    }
    case 'dist':
      return times(b, dist(b, logits, teacher, softened), alpha);
  }
}

/** The class of each image, int64 [N]: the label's where there is one, else the teacher's. */
function trueOrTaught(b: GraphBuilder, { labels }: ObjectiveValues, teacher: string): string {
  const classOf = (value: string): string => b.op('ArgMax', [value], { axis: 1, keepdims: 0 });
  const isLabelled = b.op('Greater', [labelled(b, labels), b.float(0)]);
  return b.op('Where', [isLabelled, classOf(labels), classOf(teacher)]);
}

/** 1 - alpha times the cross-entropy of what has a label, summed. */
function labelsLoss(b: GraphBuilder, options: DistillationLoss, values: ObjectiveValues): string | undefined {
  const { alpha, answers, smoothing, classWeights } = options;
  const weight = answers === 'none' ? 1 : 1 - alpha;
  if (weight === 0) return undefined;
  // A mixture with an image that has no label is labelled in part: it counts by that share.
  const share = labelled(b, values.labels);
  const divisor = b.op('Unsqueeze', [b.op('Max', [share, b.float(SMALLEST_SHARE)]), b.int([1])]);
  const sum = crossEntropy(b, values.logits, b.op('Div', [values.labels, divisor]), {
    reduction: 'sum',
    sampleWeights: values.sampleWeights === undefined ? share : b.op('Mul', [share, values.sampleWeights]),
    ...(smoothing !== undefined && { smoothing }),
    ...(classWeights !== undefined && { classWeights }),
  });
  return times(b, sum, weight);
}

const SMALLEST_SHARE = 1e-6;

/** [N]: how much of each image has a label, 0..1. */
function labelled(b: GraphBuilder, labels: string): string {
  return b.op('ReduceSum', [labels, b.int([1])], { keepdims: 0 });
}

/** The weight of features times the sum over samples. */
function featuresLoss(b: GraphBuilder, options: DistillationLoss, values: ObjectiveValues): string | undefined {
  if (options.features === undefined) return undefined;
  const { loss, weight, output } = options.features;
  const [student, teacher] = [values.outputs.get(output)!, values.targets.get(TEACHER.features)!];
  const reduction = { reduction: 'sum', ...(values.sampleWeights && { sampleWeights: values.sampleWeights }) } as const;
  const add = {
    hint: () => featureDistance(b, student, teacher, reduction),
    cosine: () => featureDistance(b, student, teacher, { ...reduction, distance: 'cosine' }),
    attention: () => attentionTransfer(b, student, teacher, reduction),
    rkd: () => relationalDistillation(b, student, teacher, reduction),
    crd: () => contrastiveDistillation(b, student, teacher, reduction),
  };
  return times(b, add[loss](), weight);
}

function times(b: GraphBuilder, value: string, factor: number): string {
  return factor === 1 ? value : b.op('Mul', [value, b.float(factor)]);
}
