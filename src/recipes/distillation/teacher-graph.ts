import { networkOnCrops, type Preprocessing } from '../../models/preprocessing.ts';
import { GraphBuilder } from '../../onnx/builder.ts';
import { append } from '../../onnx/compose.ts';
import type { Graph } from '../../onnx/graph.ts';
import type { ClassMapping } from './class-mapping.ts';
import type { Teacher } from './teacher.ts';

/** What is asked of teachers. */
export interface Question {
  /** T, at which the probabilities of several are averaged. */
  readonly temperature: number;
  /** Of each teacher, which of its classes stand for which of the student's; undefined: all that it says. */
  readonly mappings: readonly ClassMapping[] | undefined;
  /** What is read of the one teacher's features. */
  readonly features?: 'embedding' | 'attention' | undefined;
}

type Size = Preprocessing['inputSize'];

/**
 * What teachers say of images, as one graph for inference: `crop` uint8 [N, h, w, 3] in; `answer` float32 [N, M] and, where they
 * are asked for, `features` out; where `shrunk` is smaller than the crop, also `images` uint8 of that size. Each teacher sees the
 * crop shrunk to its own side and normalised in its own way.
 */
export function teacherGraph(teachers: readonly Teacher[], crop: Size, question: Question, shrunk: Size = crop): Graph {
  const b = new GraphBuilder('teacher');
  const pixels = b.input('crop', 'uint8', ['N', ...crop, 3]);
  const answers = teachers.map((teacher, i) => {
    const seen = addShrink(b, pixels, crop, teacher.preprocessing.inputSize);
    const network = networkOnCrops(teacher.graph, teacher.preprocessing);
    const values = append(b, network, { crop: seen }, { prefix: `teacher${i + 1}/` });
    if (question.features !== undefined) b.output(addFeatures(b, teacher, values, question.features), 'features');
    return addMapped(b, values[teacher.values.logits]!, question.mappings?.[i]);
  });
  b.output(addMean(b, answers, question.temperature), 'answer');
  if (String(shrunk) !== String(crop)) b.output(addShrink(b, pixels, crop, shrunk), 'images');
  return b.build();
}

/**
 * Pixels uint8 [N, h, w, 3] at a size of at most theirs: bilinear, antialiased, in steps of one grey level. Student and teacher
 * thus see one region, whatever was drawn or mixed into it.
 */
function addShrink(b: GraphBuilder, pixels: string, from: Size, to: Size): string {
  if (String(from) === String(to)) return pixels;
  const sizes = b.int([...to]);
  const scaled = b.op('Resize', [pixels, '', '', sizes], {
    axes: [1, 2],
    mode: 'linear',
    antialias: 1,
    exclude_outside: 1,
  });
  return b.op('Reshape', [scaled, b.int([0, ...to, 3])]);
}

/**
 * Logits [N, M] of the student's classes: the logarithm of the sum of the probabilities that stand for each, at T = 1, less
 * what a softmax takes away again. So what is left out is renormalised, and one class for one keeps its logit.
 */
function addMapped(b: GraphBuilder, logits: string, mapping: ClassMapping | undefined): string {
  if (mapping === undefined) return logits;
  const columns = mapping.taught.map(({ from }) => from);
  if (columns.every(({ length }) => length === 1)) return b.op('Gather', [logits, b.int(columns.flat())], { axis: 1 });
  const sums = columns.map((from) => {
    const members = b.op('Gather', [logits, b.int([...from])], { axis: 1 });
    return b.op('ReduceLogSumExp', [members, b.int([1])], { keepdims: 1 });
  });
  return b.op('Concat', sums, { axis: 1 });
}

/** Logits whose softmax at T is the mean of the teachers' softmaxes at T: T times the logarithm of that mean. */
export function addMean(b: GraphBuilder, logits: readonly string[], temperature: number): string {
  if (logits.length === 1) return logits[0]!;
  const logarithms = logits.map((value) => {
    const softened = b.op('Div', [value, b.float(temperature)]);
    return b.op('Unsqueeze', [b.op('LogSoftmax', [softened], { axis: 1 }), b.int([2])]);
  });
  const sum = b.op('ReduceLogSumExp', [b.op('Concat', logarithms, { axis: 2 }), b.int([2])], { keepdims: 0 });
  return b.op('Mul', [b.op('Sub', [sum, b.float(Math.log(logits.length))]), b.float(temperature)]);
}

/** The embedding [N, D], or one map [N, 1, h, w] whose squares are the mean of the squares of all: its attention is the same. */
function addFeatures(
  b: GraphBuilder,
  { values }: Teacher,
  made: Readonly<Record<string, string>>,
  features: 'embedding' | 'attention',
): string {
  if (features === 'embedding') return made[values.embedding]!;
  const maps = made[values.maps!]!;
  return b.op('Sqrt', [b.op('ReduceMean', [b.op('Mul', [maps, maps]), b.int([1])], { keepdims: 1 })]);
}
