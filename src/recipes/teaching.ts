import { sizeOf, tensor, type Tensor } from '../core/tensor.ts';
import type { ImageSource } from '../batches/evaluation-crops.ts';
import type { Preprocessing } from '../models/preprocessing.ts';
import { writeModel } from '../onnx/write.ts';
import type { BatchSource, TrainingBatch } from '../train/batch-source.ts';
import { TEACHER, type DistillationLoss } from '../train/distillation-objective.ts';
import { objectiveOf } from '../train/step-loss.ts';
import { joined, slice } from '../train/step-tensors.ts';
import { teacherAnswers } from './teacher-answers.ts';
import { teacherGraph, type Question } from './teacher-graph.ts';
import type { Teacher } from './teacher.ts';
import type { Workshop } from './workshop.ts';
import { workshopFor } from './workshop-for.ts';

/** How a student is taught. */
export interface Teaching {
  readonly loss: DistillationLoss;
  readonly teachers: readonly Teacher[];
  readonly question: Question;
  /** Whether teachers are asked once an image, as evaluation shows it, and not about each crop that the student sees. */
  readonly once: boolean;
}

/** Images a run of the teachers: what they need of memory does not grow with the batch. */
const CHUNK = 32;

/** Adds what teachers say to the batches of a source. */
export type Teach = (source: BatchSource) => BatchSource;

/** Height and width at which a student's training crops are drawn. */
export function drawnSize(
  { teachers, once }: Pick<Teaching, 'teachers' | 'once'>,
  student: { readonly preprocessing: Preprocessing },
): readonly [number, number] {
  const sides = [student, ...(once ? [] : teachers)].map(({ preprocessing }) => preprocessing.inputSize);
  return [Math.max(...sides.map(([height]) => height)), Math.max(...sides.map(([, width]) => width))];
}

/**
 * Where a student is taught: `drawing` makes its training crops. Of crops that the teachers see, too, these are drawn at the
 * larger of both sides, whatever is done to them, and shrunk for either; else they are the student's own.
 * @param images that will be trained on
 * @param maxPixels of an image, at most
 */
export function withTeachers<T>(
  workshop: Workshop,
  { loss, teachers, question, once }: Teaching,
  student: Preprocessing,
  images: readonly ImageSource[],
  maxPixels: number,
  use: (drawing: Workshop, teach: Teach) => Promise<T>,
): Promise<T> {
  if (objectiveOf(loss).targets.size === 0) return use(workshop, (source) => source);
  if (once) return askedOnce();
  const crop = drawnSize({ teachers, once }, { preprocessing: student });
  return workshopFor(workshop, { ...student, inputSize: crop }, maxPixels, (drawing) => asked(drawing, crop));

  async function askedOnce(): Promise<T> {
    const { answer, features } = await teacherAnswers(workshop, teachers, question, images, maxPixels);
    const rows = new Map(images.map(({ id }, i) => [id, i]));
    const targets = { [TEACHER.logits]: answer, ...(features && { [TEACHER.features]: features }) };
    return use(workshop, (source) =>
      changed(source, async (batch) => ({
        ...batch,
        targets: Object.fromEntries(
          Object.entries(targets).map(([name, value]) => [
            name,
            taken(
              value,
              batch.ids.map((id) => rows.get(id)!),
            ),
          ]),
        ),
      })),
    );
  }

  async function asked(drawing: Workshop, crop: readonly [number, number]): Promise<T> {
    const { engine } = workshop;
    const graph = teacherGraph(teachers, crop, question, student.inputSize);
    const session = await engine.load(writeModel({ graph }), {
      name: 'the teacher',
      span: 'teacher',
      deterministic: true,
    });
    const answer = async (images: Tensor, signal?: AbortSignal): Promise<Record<string, Tensor>> => {
      const count = images.shape[0]!;
      const parts: Record<string, Tensor>[] = [];
      for (let from = 0; from < count; from += CHUNK) {
        const feeds = { crop: slice(images, from, Math.min(CHUNK, count - from)) };
        parts.push(await engine.run(session, { feeds }, signal ? { signal } : {}));
      }
      return Object.fromEntries(graph.outputs.map(({ name }) => [name, stacked(parts.map((part) => part[name]!))]));
    };
    try {
      return await use(drawing, (source) =>
        changed(source, async (batch, signal) => {
          const said = await answer(batch.images, signal);
          const targets = {
            [TEACHER.logits]: said['answer']!,
            ...(said['features'] && { [TEACHER.features]: said['features'] }),
          };
          return { ...batch, images: said['images'] ?? batch.images, targets };
        }),
      );
    } finally {
      await session.release();
    }
  }
}

function changed(
  source: BatchSource,
  change: (batch: TrainingBatch, signal: AbortSignal | undefined) => Promise<TrainingBatch>,
): BatchSource {
  return {
    stepsPerEpoch: source.stepsPerEpoch,
    async *epoch(epoch, from, signal) {
      for await (const batch of source.epoch(epoch, from, signal)) yield change(batch, signal);
    },
    prepare: (epoch, from, signal) => source.prepare?.(epoch, from, signal),
  };
}

function stacked(parts: readonly Tensor[]): Tensor {
  const [first] = parts;
  if (parts.length === 1) return first!;
  const count = parts.reduce((sum, { shape }) => sum + shape[0]!, 0);
  const shape = [count, ...first!.shape.slice(1)];
  if (first!.dtype !== 'uint8') return tensor(first!.dtype, shape, joined(parts));
  const data = new Uint8Array(sizeOf(shape));
  let offset = 0;
  for (const part of parts) {
    data.set(part.data as Uint8Array, offset);
    offset += part.data.length;
  }
  return tensor('uint8', shape, data);
}

/** Some rows of a tensor, in the order asked for. */
function taken(value: Tensor, rows: readonly number[]): Tensor {
  const parts = rows.map((row) => slice(value, row, 1));
  return stacked(parts);
}
