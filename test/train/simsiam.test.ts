import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkGradients } from '../../src/autodiff/check-gradients.ts';
import { gradient } from '../../src/autodiff/gradient.ts';
import { randomStream } from '../../src/core/random.ts';
import { float32, float32Scalar, fromNumbers, int64, tensor, toNumbers } from '../../src/core/tensor.ts';
import { negativeCosine } from '../../src/losses/negative-cosine.ts';
import { findEmbedding } from '../../src/models/embedding.ts';
import { featureExtractor } from '../../src/models/head.ts';
import { withSiameseHeads } from '../../src/models/siamese-heads.ts';
import { trainableParameters } from '../../src/autodiff/parameters.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { Engine } from '../../src/runtime/engine.ts';
import { compileStep } from '../../src/train/compile-step.ts';
import { simSiam } from '../../src/train/simsiam.ts';
import { TrainingStep, type StepResult } from '../../src/train/training-step.ts';
import { evaluate } from '../reference/interpreter.ts';
import { SIDE, tinyBatch, tinyModel, tinyStep } from './tiny.ts';

type Vector = readonly number[];
const dot = (a: Vector, b: Vector): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
const D = (p: Vector, z: Vector): number => -dot(p, z) / Math.sqrt(dot(p, p) * dot(z, z));
const vectors = (count: number, width: number, name: string): Vector[] => {
  const stream = randomStream('simsiam', name);
  return Array.from({ length: count }, () => Array.from({ length: width }, () => stream.normal()));
};

describe('negativeCosine', () => {
  it('has the gradient of central differences, and none of a vector of length 0', () => {
    const b = new GraphBuilder('cosine');
    b.input('p', 'float64', [3, 4]);
    b.input('z', 'float64', [3, 4]);
    b.output(negativeCosine(b, 'p', 'z', 'none'), 'loss');
    const feeds = new Map(
      ['p', 'z'].map((name) => [name, fromNumbers('float64', [3, 4], vectors(3, 4, name).flat())] as const),
    );
    expect(checkGradients(b.build(), { evaluate, feeds })).toBeLessThan(1e-8);
    const zero = new Map([
      ...feeds,
      [
        'p',
        fromNumbers(
          'float64',
          [3, 4],
          Array.from({ length: 12 }, () => 0),
        ),
      ],
    ]);
    const { graph, gradients } = gradient(summed(b), 'sum', ['p']);
    expect(toNumbers(evaluate(graph, zero).get(gradients.get('p')!)!).map(Math.abs)).toEqual(
      Array.from({ length: 12 }, () => 0),
    );
  });

  it('refuses vectors of two widths', () => {
    const b = new GraphBuilder('cosine');
    b.input('p', 'float32', [3, 4]);
    b.input('z', 'float32', [3, 5]);
    expect(() => negativeCosine(b, 'p', 'z')).toThrow(/\[3,4\] and \[3,5\]/);
  });
});

describe('the objective of SimSiam', () => {
  const [pairs, width] = [4, 6];
  const [p, z] = [vectors(2 * pairs, width, 'p'), vectors(2 * pairs, width, 'z')];
  const b = new GraphBuilder('objective');
  b.input('p', 'float32', [2 * pairs, width]);
  b.input('z', 'float32', [2 * pairs, width]);
  const objective = simSiam({ name: 'simsiam', projection: 'z' });
  const made = objective.add(b, {
    logits: 'p',
    labels: '',
    scale: b.constant(float32Scalar(1 / pairs)),
    outputs: new Map([['z', 'z']]),
    targets: new Map(),
    state: new Map(),
  });
  b.output(made.loss, 'loss');
  b.output(made.metrics!.get('spread')!, 'spread');
  const feeds = (
    values: { p?: readonly Vector[]; z?: readonly Vector[] } = {},
  ): Map<string, ReturnType<typeof float32>> =>
    new Map(
      Object.entries({ p, z, ...values }).map(([name, rows]) => [name, float32(rows.flat(), [rows.length, width])]),
    );

  it('is the mean over images of what each view says of the other, as algorithm 1 of the paper', () => {
    const each = Array.from({ length: pairs }, (_, i) => {
      const [p1, p2, z1, z2] = [p[2 * i]!, p[2 * i + 1]!, z[2 * i]!, z[2 * i + 1]!];
      return D(p1, z2) / 2 + D(p2, z1) / 2;
    });
    const expected = each.reduce((sum, x) => sum + x, 0) / pairs;
    expect(toNumbers(evaluate(b.build(), feeds()).get('loss')!)[0]).toBeCloseTo(expected, 6);
  });

  it('lets the gradient go through the predictions alone', () => {
    const { graph, gradients } = gradient(b.build(), 'loss', ['p', 'z'], { constants: made.constants! });
    const values = evaluate(graph, feeds());
    expect(toNumbers(values.get(gradients.get('z')!)!).every((x) => x === 0)).toBe(true);
    expect(toNumbers(values.get(gradients.get('p')!)!).some((x) => x !== 0)).toBe(true);
  });

  it('tells how far directions differ: 0 where all are the same', () => {
    const spread = (rows: readonly Vector[]): number =>
      toNumbers(evaluate(b.build(), feeds({ z: rows })).get('spread')!)[0]!;
    expect(spread(z.map((_, i) => z[0]!.map((x) => x * (i + 1))))).toBeCloseTo(0, 3);
    // The deviation of each component of random directions is near 1/√D.
    expect(spread(z)).toBeGreaterThan(0.7);
    expect(spread(z)).toBeLessThan(1.05);
  });
});

describe('pretraining steps', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await Engine.start({ device: 'cpu', threads: 1 });
  });
  afterAll(() => engine.dispose());

  it('bring the views of an image together, without labels', async () => {
    const model = tinyModel();
    const { graph, embedding } = featureExtractor(model.graph, findEmbedding(model.graph));
    const heads = withSiameseHeads(graph, embedding, 32, 1);
    const parameters = trainableParameters(heads.graph, heads.prediction).map((name) => {
      return { name, group: 'body', decay: name.endsWith('.weight') };
    });
    expect(heads.predictor.every((name) => parameters.some((parameter) => parameter.name === name))).toBe(true);
    const options = tinyStep(model, {
      graph: heads.graph,
      logits: heads.prediction,
      parameters,
      loss: { name: 'simsiam', projection: heads.projection },
      microBatch: 16,
      batchNorm: 'batch',
      optimizer: { name: 'sgd', momentum: 0.9, nesterov: false, weightDecay: 1e-4 },
    });
    const step = await TrainingStep.open(engine, compileStep(options));
    const results: StepResult[] = [];
    try {
      for (let i = 1; i <= 40; i++)
        results.push(await step.run({ batch: pairsOf(16, i), step: i, rates: { body: 0.1 } }));
    } finally {
      await step.release();
    }
    const mean = (list: readonly StepResult[]): number => list.reduce((sum, { loss }) => sum + loss, 0) / list.length;
    expect(mean(results.slice(-5))).toBeLessThan(mean(results.slice(0, 5)) - 0.2);
    expect(results.at(-1)!.metrics['spread']).toBeGreaterThan(0.1);
  });
});

/** Sum of the losses, as a graph of its own. */
function summed(b: GraphBuilder): ReturnType<GraphBuilder['build']> {
  const c = GraphBuilder.from(b.build());
  c.output(c.op('ReduceSum', ['loss'], { keepdims: 0 }), 'sum');
  return c.build();
}

/** Images and noisy copies of them, one after the other. */
function pairsOf(count: number, step: number): { images: ReturnType<typeof tensor>; labels: ReturnType<typeof int64> } {
  const { images } = tinyBatch(count, 'pairs', step);
  const size = 3 * SIDE * SIDE;
  const stream = randomStream('noise', step);
  const values = Float32Array.from({ length: 2 * count * size }, (_, i) => {
    const image = Math.floor(i / (2 * size));
    return (images.data as Float32Array)[image * size + (i % size)]! + 0.3 * stream.normal();
  });
  return {
    images: tensor('float32', [2 * count, 3, SIDE, SIDE], values),
    labels: int64(Array.from({ length: count }, () => 0)),
  };
}
