import { sizeOf, tensor, type Tensor } from '../../core/tensor.ts';
import type { ImageSource } from '../../batches/evaluation-crops.ts';
import type { Preprocessing } from '../../models/preprocessing.ts';
import { writeModel } from '../../onnx/write.ts';
import type { Engine, Session } from '../../runtime/engine.ts';
import type { BatchSource, TrainingBatch } from '../../train/batch-source.ts';
import { TEACHER, type DistillationLoss } from '../../train/distillation-objective.ts';
import { inferenceBytes } from '../../train/memory-plan.ts';
import { objectiveOf, type StepLoss } from '../../train/step-loss.ts';
import type { StepOptions } from '../../train/step-options.ts';
import { joined, slice } from '../../train/step-tensors.ts';
import { teacherAnswers } from './teacher-answers.ts';
import { teacherGraph, type Question } from './teacher-graph.ts';
import type { ImagesBySize } from '../training/smaller-images.ts';
import type { Teacher } from './teacher.ts';
import type { Workshop } from '../workshop/workshop.ts';

/** How a student is taught. */
export interface Teaching {
  readonly loss: DistillationLoss;
  readonly teachers: readonly Teacher[];
  readonly question: Question;
  /** Whether teachers are asked once an image, as evaluation shows it, and not about each crop that the student sees. */
  readonly once: boolean;
  /** Logits [M] by the image: what was said before, and nobody is asked. */
  readonly said?: ReadonlyMap<string, Float32Array>;
}

/** What of it decides what teachers are asked: the targets of its loss, and how they are asked. */
type Asking = Omit<Teaching, 'loss'> & { readonly loss: StepLoss };

/** Images a run of the teachers: what they need of memory does not grow with the batch. */
const CHUNK = 32;

/** Height and width at which a student's training crops are drawn. */
export function drawnSize(
  { teachers, once }: Pick<Teaching, 'teachers' | 'once'>,
  student: Preprocessing,
): readonly [number, number] {
  const sides = [student, ...(once ? [] : teachers.map(({ preprocessing }) => preprocessing))];
  return [0, 1].map((axis) => Math.max(...sides.map(({ inputSize }) => inputSize[axis]!))) as [number, number];
}

/** What teachers take of memory while a student trains, estimated: nothing where all was said before. */
export function teachingBytes(teaching: Asking, student: Preprocessing): number {
  const { teachers, once, question } = teaching;
  if (once || teachers.length === 0) return 0;
  return inferenceBytes(teacherGraph(teachers, drawnSize(teaching, student), question, student.inputSize), CHUNK);
}

/** Rows of targets, by the image. */
type Said = (ids: readonly string[]) => Record<string, Tensor>;

/**
 * Training images with what teachers say of them. Where the teachers see the student's crops, these are drawn at the larger of
 * both sides, whatever is done to them, and shrunk for either; else they are the student's own.
 */
export class TaughtImages implements AsyncDisposable {
  readonly #engine: Engine;
  readonly #images: ImagesBySize;
  readonly #teaching: Asking;
  /** What teachers said who are asked once. */
  readonly #said: Said | undefined;
  #session: Session | undefined;

  private constructor(engine: Engine, images: ImagesBySize, teaching: Asking, said: Said | undefined) {
    this.#engine = engine;
    this.#images = images;
    this.#teaching = teaching;
    this.#said = said;
  }

  /**
   * @param samples that will be trained on: teachers that are asked once are asked now
   * @param maxPixels of an image, at most
   */
  static async open(
    workshop: Workshop,
    images: ImagesBySize,
    teaching: Asking,
    samples: readonly ImageSource[],
    maxPixels: number,
  ): Promise<TaughtImages> {
    const { engine } = workshop;
    const { loss, teachers, question, once, said } = teaching;
    if (objectiveOf(loss).targets.size === 0) return new TaughtImages(engine, images, teaching, () => ({}));
    if (said !== undefined)
      return new TaughtImages(engine, images, teaching, (ids) => {
        const rows = ids.map((id) => said.get(id)!);
        return targetsOf(stacked(rows.map((row) => tensor('float32', [1, row.length], row))), undefined);
      });
    if (!once) return new TaughtImages(engine, images, teaching, undefined);
    const { answer, features } = await teacherAnswers(workshop, teachers, question, samples, maxPixels);
    const rows = new Map(samples.map(({ id }, i) => [id, i]));
    return new TaughtImages(engine, images, teaching, (ids) => {
      const of = (value: Tensor): Tensor => stacked(ids.map((id) => slice(value, rows.get(id)!, 1)));
      return targetsOf(of(answer), features && of(features));
    });
  }

  /** @param batchesOf a student's own batches, by what makes their crops */
  async source(
    { images }: Pick<StepOptions, 'images'>,
    batchesOf: (images: Pick<Workshop, 'pool' | 'crops'>) => BatchSource,
  ): Promise<BatchSource> {
    if (this.#said !== undefined || images.kind !== 'pixels')
      return this.completed(batchesOf(await this.#images.of({ images })));
    const { preprocessing } = images;
    const { teachers, question } = this.#teaching;
    const inputSize = drawnSize(this.#teaching, preprocessing);
    const drawing = await this.#images.of({
      images: { kind: 'pixels', preprocessing: { ...preprocessing, inputSize } },
    });
    const graph = teacherGraph(teachers, inputSize, question, preprocessing.inputSize);
    await this[Symbol.asyncDispose]();
    const options = { name: 'the teacher', span: 'teacher', deterministic: true };
    const session = await this.#engine.load(writeModel({ graph }), options);
    this.#session = session;
    return changed(batchesOf(drawing), async (batch, signal) => {
      const said = await this.#ask(session, batch.images, signal);
      const targets = targetsOf(said['answer']!, said['features']);
      return { ...batch, images: said['images'] ?? batch.images, targets };
    });
  }

  /** Batches of the same images that come from elsewhere, with what teachers said once. */
  completed(source: BatchSource): BatchSource {
    const said = this.#said;
    return said === undefined ? source : changed(source, async (batch) => ({ ...batch, targets: said(batch.ids) }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session?.release();
    this.#session = undefined;
  }

  async #ask(session: Session, images: Tensor, signal: AbortSignal | undefined): Promise<Record<string, Tensor>> {
    const count = images.shape[0]!;
    const parts: Record<string, Tensor>[] = [];
    for (let from = 0; from < count; from += CHUNK) {
      const feeds = { crop: slice(images, from, Math.min(CHUNK, count - from)) };
      parts.push(await this.#engine.run(session, { feeds }, signal ? { signal } : {}));
    }
    return Object.fromEntries(Object.keys(parts[0]!).map((name) => [name, stacked(parts.map((part) => part[name]!))]));
  }
}

function targetsOf(answer: Tensor, features: Tensor | undefined): Record<string, Tensor> {
  return { [TEACHER.logits]: answer, ...(features && { [TEACHER.features]: features }) };
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
