import { sizeOf, tensor, type Tensor } from '../../core/tensor.ts';
import type { ImageSource } from '../../batches/evaluation-crops.ts';
import { GraphBuilder } from '../../onnx/builder.ts';
import { append } from '../../onnx/compose.ts';
import { writeModel } from '../../onnx/write.ts';
import { FeatureCache } from '../probe/feature-cache.ts';
import { outputsOf } from '../results/outputs.ts';
import type { Teacher } from './teacher.ts';
import { addMean, teacherGraph, type Question } from './teacher-graph.ts';
import type { Workshop } from '../workshop/workshop.ts';
import { workshopFor } from '../workshop/workshop-for.ts';

/** What teachers say of some images. */
export interface TeacherAnswers {
  /** Logits, float32 [n, M], in the order of the images. */
  readonly answer: Tensor;
  /** float32 [n, ...], where they were asked for. */
  readonly features?: Tensor;
}

/**
 * Asks teachers about images as evaluation shows them to each. What one said before of the same content is not asked again: it
 * is kept on disk, in float16, by the image's content, the teacher, and what was asked.
 * @param maxPixels of an image, at most
 */
export async function teacherAnswers(
  workshop: Workshop,
  teachers: readonly Teacher[],
  question: Question,
  samples: readonly ImageSource[],
  maxPixels: number,
): Promise<TeacherAnswers> {
  const answers: Tensor[] = [];
  let features: Tensor | undefined;
  for (const [i, teacher] of teachers.entries()) {
    const one = await workshopFor(workshop, teacher.preprocessing, maxPixels, (own) =>
      answersOfOne(own, teacher, { ...question, mappings: question.mappings && [question.mappings[i]!] }, samples),
    );
    answers.push(one.answer);
    ({ features } = one);
  }
  return { answer: await mean(workshop, answers, question.temperature), ...(features && { features }) };
}

async function answersOfOne(
  { engine, crops, onProgress, signal, track }: Workshop,
  teacher: Teacher,
  question: Question,
  samples: readonly ImageSource[],
): Promise<TeacherAnswers> {
  const { graph, shapes } = joined(teacher, question);
  const { sha256, values, preprocessing } = teacher;
  // A single teacher says the same at any temperature.
  const asked = { values, taught: question.mappings?.[0]?.taught, features: question.features, view: 'evaluation' };
  const key = ['teacher', sha256, asked, preprocessing, engine.version, engine.device, engine.threads];
  const cache = await FeatureCache.open(key, 'float16');
  const missing = samples.filter(({ contentKey }) => cache.get(contentKey) === undefined);
  if (missing.length > 0) {
    const computed = await outputsOf(engine, graph, crops, missing, { stage: 'teacher', onProgress, signal, track });
    await cache.add(
      missing.map(({ contentKey }) => contentKey),
      computed,
    );
  }
  const rows = samples.map(({ contentKey }) => cache.get(contentKey)!);
  const part = (from: number, shape: readonly number[]): Tensor => {
    const width = sizeOf(shape);
    const data = new Float32Array(samples.length * width);
    for (const [i, row] of rows.entries()) data.set(row.subarray(from, from + width), i * width);
    return tensor('float32', [samples.length, ...shape], data);
  };
  return {
    answer: part(0, shapes.answer),
    ...(shapes.features && { features: part(sizeOf(shapes.answer), shapes.features) }),
  };
}

/** A teacher's graph with all that it says in one row an image, and the shapes that the row is made of. */
function joined(teacher: Teacher, question: Question) {
  const inner = teacherGraph([teacher], teacher.preprocessing.inputSize, question);
  const b = new GraphBuilder('teacher');
  const crop = b.input('crop', 'uint8', ['N', ...teacher.preprocessing.inputSize, 3]);
  const { answer, features } = append(b, inner, { crop }) as { answer: string; features?: string };
  const shapeOf = (value: string): number[] => b.type(value).shape!.slice(1) as number[];
  const shapes = { answer: shapeOf(answer), ...(features !== undefined && { features: shapeOf(features) }) };
  const row =
    features === undefined
      ? answer
      : b.op('Concat', [answer, b.op('Reshape', [features, b.int([0, sizeOf(shapes.features!)])])], { axis: 1 });
  b.output(row);
  return { graph: b.build(), shapes };
}

/** As the teachers' graph has it, of answers that are there. */
async function mean({ engine, signal }: Workshop, answers: readonly Tensor[], temperature: number): Promise<Tensor> {
  if (answers.length === 1) return answers[0]!;
  const b = new GraphBuilder('mean_of_teachers');
  const names = answers.map(({ shape }, i) => b.input(`answer${i + 1}`, 'float32', shape));
  b.output(addMean(b, names, temperature), 'answer');
  const session = await engine.load(writeModel({ graph: b.build() }), { name: 'the mean of teachers' });
  try {
    const feeds = Object.fromEntries(names.map((name, i) => [name, answers[i]!]));
    return (await engine.run(session, { feeds }, signal ? { signal } : {}))['answer']!;
  } finally {
    await session.release();
  }
}
