import { createHash } from 'node:crypto';
import type { ImageSource } from '../../batches/evaluation-crops.ts';
import { tensor, type Tensor } from '../../core/tensor.ts';
import { GraphBuilder } from '../../onnx/builder.ts';
import type { OnProgress } from '../../core/progress.ts';
import { teacherAnswers } from '../distillation/teacher-answers.ts';
import type { Question } from '../distillation/teacher-graph.ts';
import type { Teacher } from '../distillation/teacher.ts';
import { onPixels, type Network } from '../networks/network.ts';
import { outputsOf } from '../results/outputs.ts';
import type { TrainControl } from '../train-control.ts';
import type { Workshop } from '../workshop/workshop.ts';
import { extractorOf } from './extractor.ts';
import type { ResolvedPretrainOptions } from './pretrain-options.ts';

/** Features have no temperature and no classes to be mapped. */
export const ITS_FEATURES: Question = { temperature: 1, mappings: undefined };

/** Images that the mean and the deviation of features are taken of, at most: their error is then 3 % of the deviation. */
const STANDARDISED_ON = 1000;
/** Deviations below count as it, relative to the mean of all: a feature that never changes is 0. */
const SMALLEST_DEVIATION = 1e-3;

/**
 * Opens a network whose features are taught: its answer is its embedding, and it needs no classifier.
 * @throws InputError, ModelError as `openBackbone`
 */
export async function openFeatureTeacher(
  spec: string,
  flags: ResolvedPretrainOptions['teacherInput'],
  { onProgress, ...control }: TrainControl,
): Promise<Teacher> {
  const renamed: OnProgress = (event) =>
    onProgress?.(
      event.type === 'note' ? { ...event, message: event.message.replace(/^Backbone:/, 'Teacher:') } : event,
    );
  const { graph, embedding, preprocessing, width, source, sha256 } = await extractorOf(spec, flags, {
    ...control,
    onProgress: renamed,
  });
  return { graph, values: { logits: embedding, embedding }, preprocessing, classes: [], width, source, sha256 };
}

/**
 * The teacher with its embedding made of mean 0 and deviation 1, feature by feature, over the images of the data: what all
 * images share, and features of large values, would else be most of what is compared. A whitening of the target as in Wei et
 * al. 2022 (arXiv:2205.14141), section 3.2, who normalise within an image.
 * @param samples that are trained on
 */
export async function standardised(
  workshop: Workshop,
  teacher: Teacher,
  samples: readonly ImageSource[],
  maxPixels: number,
): Promise<Teacher> {
  const stride = Math.ceil(samples.length / STANDARDISED_ON);
  const some = samples.filter((_, i) => i % stride === 0);
  const { answer } = await teacherAnswers(workshop, [teacher], ITS_FEATURES, some, maxPixels);
  const { mean, deviation } = statisticsOf(answer);
  const b = GraphBuilder.from(teacher.graph, { outputs: false });
  const centred = b.op('Sub', [teacher.values.embedding, b.constant(tensor('float32', [teacher.width], mean))]);
  const value = b.output(
    b.op('Div', [centred, b.constant(tensor('float32', [teacher.width], deviation))], {}, { name: 'standardised' }),
  );
  const sha256 = createHash('sha256').update(teacher.sha256).update(mean).update(deviation).digest('hex');
  return { ...teacher, graph: b.build(), values: { logits: value, embedding: value }, sha256 };
}

/** By column of [n, D]. */
function statisticsOf({ shape, data }: Tensor): { mean: Float32Array; deviation: Float32Array } {
  const [count, width] = shape as [number, number];
  const values = data as Float32Array;
  const meanOf = (term: (row: number, column: number) => number): number[] =>
    Array.from({ length: width }, (_, column) => {
      let sum = 0;
      for (let row = 0; row < count; row++) sum += term(row, column);
      return sum / count;
    });
  const mean = meanOf((row, column) => values[row * width + column]!);
  const deviation = meanOf((row, column) => (values[row * width + column]! - mean[column]!) ** 2).map(Math.sqrt);
  const smallest = (SMALLEST_DEVIATION * deviation.reduce((sum, x) => sum + x, 0)) / width || 1;
  return { mean: Float32Array.from(mean), deviation: Float32Array.from(deviation, (x) => Math.max(x, smallest)) };
}

/** Mean cosine of the angle between what a network says and the teacher's features, -1..1, each seeing an image as evaluation shows it. */
export async function similarityTo(
  workshop: Workshop,
  teacher: Teacher,
  { graph, logits, preprocessing }: Network,
  samples: readonly ImageSource[],
  maxPixels: number,
): Promise<number> {
  const { engine, crops, signal, onProgress, track } = workshop;
  const { answer } = await teacherAnswers(workshop, [teacher], ITS_FEATURES, samples, maxPixels);
  const how = { stage: 'compare', signal, onProgress, track };
  const own = await outputsOf(engine, onPixels(graph, logits, preprocessing), crops, samples, how);
  const rowsOf = ({ data }: Tensor, row: number): Float32Array =>
    (data as Float32Array).subarray(row * teacher.width, (row + 1) * teacher.width);
  const cosines = samples.map((_, row) => cosine(rowsOf(own, row), rowsOf(answer, row)));
  return cosines.reduce((sum, x) => sum + x, 0) / cosines.length;
}

function cosine(a: Float32Array, b: Float32Array): number {
  const dot = (x: Float32Array, y: Float32Array): number => x.reduce((sum, value, i) => sum + value * y[i]!, 0);
  const lengths = Math.sqrt(dot(a, a) * dot(b, b));
  return lengths === 0 ? 0 : dot(a, b) / lengths;
}
