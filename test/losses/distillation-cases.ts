import { gradient } from '../../src/autodiff/gradient.ts';
import { randomStream } from '../../src/core/random.ts';
import { fromNumbers, int64, sizeOf, toNumbers, type Tensor } from '../../src/core/tensor.ts';
import { attentionTransfer } from '../../src/losses/attention-transfer.ts';
import { contrastiveDistillation } from '../../src/losses/contrastive-distillation.ts';
import { decoupledDistillation } from '../../src/losses/decoupled-distillation.ts';
import { dist } from '../../src/losses/dist.ts';
import { distillation } from '../../src/losses/distillation.ts';
import { featureDistance } from '../../src/losses/feature-distance.ts';
import type { Reduction } from '../../src/losses/reduction.ts';
import { relationalDistillation } from '../../src/losses/relational-distillation.ts';
import type { Teacher } from '../../src/losses/teacher.ts';
import { lower } from '../../src/lowering/lower.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { run } from '../lowering/engine.ts';
import { evaluate } from '../reference/interpreter.ts';

export interface Input {
  readonly shape: readonly number[];
  readonly values: readonly number[];
}

/** `form`: of the teacher. The others as each loss has them. */
export type Options = {
  readonly form?: 'logits' | 'probabilities';
  readonly reduction?: Reduction;
  readonly temperature?: number;
} & Readonly<Record<string, unknown>>;

/** A loss by name, its inputs by name: `student`, `teacher` and, where there are, `labels`, `projection`, `sampleWeights`. */
export interface Subject {
  readonly loss: keyof typeof LOSSES;
  readonly inputs: Readonly<Record<string, Input>>;
  readonly options: Options;
}

const teacher = ({ form = 'logits' }: Options): Teacher =>
  form === 'logits' ? { logits: 'teacher' } : { probabilities: 'teacher' };

export const LOSSES = {
  distillation: (b: GraphBuilder, options: Options) => distillation(b, 'student', teacher(options), options),
  decoupledDistillation: (b: GraphBuilder, options: Options) =>
    decoupledDistillation(b, 'student', teacher(options), options),
  dist: (b: GraphBuilder, options: Options) => dist(b, 'student', teacher(options), options),
  attentionTransfer: (b: GraphBuilder, options: Options) => attentionTransfer(b, 'student', 'teacher', options),
  featureDistance: (b: GraphBuilder, options: Options) => featureDistance(b, 'student', 'teacher', options),
  relationalDistillation: (b: GraphBuilder, options: Options) =>
    relationalDistillation(b, 'student', 'teacher', options),
  contrastiveDistillation: (b: GraphBuilder, options: Options) =>
    contrastiveDistillation(b, 'student', 'teacher', options),
} as const;

/** A graph with the output `loss` alone. */
export function graphOf({ loss, inputs, options }: Subject, dtype: 'float32' | 'float64' = 'float64'): Graph {
  const b = new GraphBuilder(loss);
  for (const [name, { shape }] of Object.entries(inputs)) b.input(name, typeOf(name, dtype), shape);
  const values = ['labels', 'projection', 'sampleWeights'].filter((name) => name in inputs);
  const value = LOSSES[loss](b, { ...options, ...Object.fromEntries(values.map((name) => [name, name])) });
  b.output(value, 'loss');
  return b.build();
}

export function feedsOf({ inputs }: Subject, dtype: 'float32' | 'float64' = 'float64'): Map<string, Tensor> {
  return new Map(
    Object.entries(inputs).map(([name, { shape, values }]) => [
      name,
      typeOf(name, dtype) === 'int64' ? int64(values, shape) : fromNumbers(dtype, shape, values),
    ]),
  );
}

/** What the loss is differentiated by. */
export function trained({ inputs }: Subject): string[] {
  return Object.keys(inputs).filter((name) => name === 'student' || name === 'projection');
}

/** [N, ...] by rows. */
export function rows(values: readonly (readonly number[])[]): Input {
  return { shape: [values.length, values[0]!.length], values: values.flat() };
}

/** Numbers that follow no pattern, -2 to 2. */
export function numbers(shape: readonly number[], seed: number): Input {
  const stream = randomStream('distillation', seed);
  return { shape, values: Array.from({ length: sizeOf(shape) }, () => 4 * stream.uniform() - 2) };
}

export interface Result {
  readonly loss: number[];
  /** Of the sum of the losses. */
  readonly gradients: Readonly<Record<string, number[]>>;
}

/** By the interpreter in float64. */
export function compute(subject: Subject): Result {
  const { graph, gradients } = differentiated(subject, 'float64');
  return results(evaluate(graph, feedsOf(subject)), gradients);
}

/** By the engine in float32. */
export async function computeOnEngine(subject: Subject): Promise<Result> {
  const { graph, gradients } = differentiated(subject, 'float32');
  const lowered = lower(graph, { kind: 'plain' }).graph;
  const values = await run(lowered, Object.fromEntries(feedsOf(subject, 'float32')));
  return results(new Map(Object.entries(values)), gradients);
}

function differentiated(subject: Subject, dtype: 'float32' | 'float64') {
  const b = GraphBuilder.from(graphOf(subject, dtype));
  b.output(b.op('ReduceSum', ['loss'], { keepdims: 0 }), 'total');
  return gradient(b.build(), 'total', trained(subject));
}

function results(values: ReadonlyMap<string, Tensor>, gradients: ReadonlyMap<string, string>): Result {
  return {
    loss: toNumbers(values.get('loss')!),
    gradients: Object.fromEntries([...gradients].map(([name, value]) => [name, toNumbers(values.get(value)!)])),
  };
}

function typeOf(name: string, dtype: 'float32' | 'float64') {
  return name === 'labels' ? 'int64' : dtype;
}
