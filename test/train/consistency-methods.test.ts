import { describe, expect, it } from 'vitest';
import { gradient } from '../../src/autodiff/gradient.ts';
import { randomStream } from '../../src/core/random.ts';
import { float32, float32Scalar, int64, toNumbers, type Tensor } from '../../src/core/tensor.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { CONSISTENCY_METHODS, type ConsistencyMethod } from '../../src/train/consistency/methods.ts';
import { consistencyObjective } from '../../src/train/consistency/objective.ts';
import { IMAGE_NUMBERS, MIXED, type ConsistencyOptions } from '../../src/train/consistency/options.ts';
import { evaluate } from '../reference/interpreter.ts';

const K = 4;
const SAMPLES = 3;
const RATIO = 5;
const UNLABELLED = SAMPLES * RATIO;
const IMAGES = 16;
const HALF_LIFE = 20;
const TOTAL = 60;
const PASSES = 6;

type Row = number[];
/** What a pass sees. */
interface Pass {
  readonly labelled: Row[];
  readonly weak: Row[];
  readonly strong: Row[];
  /** A second view of each, where a method has two. */
  readonly secondWeak: Row[];
  readonly secondStrong: Row[];
  /** Of each row that is trained on, sample by sample: labelled image, first views, second views. */
  readonly partners: number[];
  readonly shares: number[];
  readonly labels: number[];
  /** Numbers of the unlabelled images. */
  readonly numbers: number[];
}

/** Logits from unsure to sure, so that every threshold parts them. */
function passAt(t: number): Pass {
  const stream = randomStream('consistency', t);
  const rows = (count: number, spread: number): Row[] =>
    Array.from({ length: count }, () => {
      const sure = spread * stream.uniform();
      const top = stream.integer(K);
      return Array.from({ length: K }, (_, k) => Math.fround(stream.normal() + (k === top ? sure : 0)));
    });
  const trained = SAMPLES * (1 + 2 * RATIO);
  return {
    labelled: rows(SAMPLES, 4),
    weak: rows(UNLABELLED, 9),
    strong: rows(UNLABELLED, 3),
    labels: Array.from({ length: SAMPLES }, () => stream.integer(K)),
    numbers: Array.from({ length: UNLABELLED }, (_, i) => (7 * i + 3 * t) % IMAGES),
    secondWeak: rows(UNLABELLED, 9),
    secondStrong: rows(UNLABELLED, 3),
    partners: Array.from({ length: trained }, (_, i) => (5 * i + t) % trained),
    shares: Array.from({ length: trained }, () => Math.fround(0.5 + stream.uniform() / 2)),
  };
}

const PASSES_SEEN = Array.from({ length: PASSES }, (_, t) => passAt(t));

function optionsOf(method: ConsistencyMethod, changes: Partial<ConsistencyOptions> = {}): ConsistencyOptions {
  return {
    name: 'consistency',
    ...CONSISTENCY_METHODS[method],
    classes: K,
    ratio: RATIO,
    strongViews: CONSISTENCY_METHODS[method].weakViews,
    images: IMAGES,
    samples: TOTAL,
    halfLife: HALF_LIFE,
    smoothing: 0,
    ...changes,
  };
}

/** The loss alone, with everything it reads as inputs. */
function graphOf(options: ConsistencyOptions): { graph: Graph; constants: readonly string[]; rows: number } {
  const objective = consistencyObjective(options);
  const isAverage = options.labeller === 'average';
  const weak = RATIO * options.weakViews;
  const rows = objective.rows - (isAverage ? weak : 0);
  const b = new GraphBuilder('loss');
  const input = (name: string, shape: number[]): string => b.input(name, 'float32', shape);
  const added = objective.add(b, {
    logits: input('logits', [SAMPLES * rows, K]),
    labels: b.input('labels', 'int64', [SAMPLES]),
    scale: input('scale', []),
    ...(isAverage && { averaged: input('averaged', [SAMPLES * weak, K]) }),
    outputs: new Map(),
    targets: new Map([...objective.targets].map(([name, shape]) => [name, input(name, [SAMPLES, ...shape])])),
    state: new Map([...objective.state].map(([name, value]) => [name, input(`state/${name}`, [...value.shape])])),
  });
  b.output(added.loss, 'loss_out');
  for (const [name, value] of added.state!) b.output(value, `next/${name}`);
  for (const [name, value] of added.metrics!) b.output(value, `metric/${name}`);
  return { graph: b.build(), constants: added.constants!, rows };
}

function feedsOf(options: ConsistencyOptions, pass: Pass, state: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  const isAverage = options.labeller === 'average';
  const ofSample = (rows: readonly Row[], i: number): Row[] => rows.slice(i * RATIO, (i + 1) * RATIO);
  const both = options.weakViews === 2;
  const weakOf = (i: number): Row[] => [...ofSample(pass.weak, i), ...(both ? ofSample(pass.secondWeak, i) : [])];
  const rows = pass.labelled.flatMap((row, i) => [
    row,
    ...(isAverage ? [] : weakOf(i)),
    ...ofSample(pass.strong, i),
    ...(both ? ofSample(pass.secondStrong, i) : []),
  ]);
  const averaged = pass.labelled.flatMap((_, i) => weakOf(i));
  return new Map<string, Tensor>([
    ['logits', float32(rows.flat(), [rows.length, K])],
    ['labels', int64(pass.labels)],
    ['scale', float32Scalar(1 / SAMPLES)],
    ...(isAverage ? [['averaged', float32(averaged.flat(), [averaged.length, K])] as const] : []),
    ...(options.threshold.kind === 'curriculum'
      ? [[IMAGE_NUMBERS, float32(pass.numbers, [SAMPLES, RATIO])] as const]
      : []),
    ...(options.mixing === undefined
      ? []
      : ([
          [MIXED.partner, float32(pass.partners, [SAMPLES, 1 + 2 * RATIO])],
          [MIXED.share, float32(pass.shares, [SAMPLES, 1 + 2 * RATIO])],
        ] as const)),
    ...[...state].map(([name, value]) => [`state/${name}`, value] as const),
  ]);
}

interface Seen {
  readonly loss: number;
  readonly used: number;
}

/** The loss of every pass, with what is remembered handed on. */
function seen(options: ConsistencyOptions): Seen[] {
  const { graph } = graphOf(options);
  let state = new Map(consistencyObjective(options).state);
  return PASSES_SEEN.map((pass) => {
    const results = evaluate(graph, feedsOf(options, pass, state));
    state = new Map([...state.keys()].map((name) => [name, results.get(`next/${name}`)!]));
    const scalar = (name: string): number => toNumbers(results.get(name)!)[0]!;
    return { loss: scalar('loss_out'), used: scalar('metric/used') };
  });
}

// The papers' formulas, written out.

const softmax = (row: Row): Row => {
  const largest = Math.max(...row);
  const powers = row.map((z) => Math.exp(z - largest));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((x) => x / sum);
};
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const meanRow = (rows: readonly Row[]): Row => Array.from({ length: K }, (_, k) => mean(rows.map((row) => row[k]!)));
const sumNorm = (row: Row): Row => {
  const sum = row.reduce((a, b) => a + b, 0);
  return row.map((x) => x / sum);
};
const argmax = (row: Row): number => row.indexOf(Math.max(...row));
const oneHot = (k: number): Row => Array.from({ length: K }, (_, j) => (j === k ? 1 : 0));
const crossEntropy = (q: Row, logits: Row): number => {
  const p = softmax(logits);
  return -q.reduce((sum, x, k) => sum + x * Math.log(p[k]!), 0);
};
const ofLabelled = ({ labelled, labels }: Pass): number =>
  mean(labelled.map((row, i) => crossEntropy(oneHot(labels[i]!), row)));

/** sum over s of (1 - d) d^(t - s) v_s / (1 - d^t): the average whose weights sum to 1. */
function averages<T extends Row>(values: readonly T[]): Row[] {
  const decay = 2 ** (-SAMPLES / HALF_LIFE);
  return values.map((_, t) => {
    const weights = values.slice(0, t + 1).map((_v, s) => ((1 - decay) * decay ** (t - s)) / (1 - decay ** (t + 1)));
    return values[0]!.map((_x, k) => weights.reduce((sum, w, s) => sum + w * values[s]![k]!, 0));
  });
}

const predictions = PASSES_SEEN.map(({ weak }) => weak.map(softmax));
const labelledPredictions = PASSES_SEEN.map(({ labelled }) => labelled.map(softmax));
const pseudoLoss = ({ strong }: Pass, p: readonly Row[], weights: readonly number[]): number =>
  mean(p.map((row, i) => weights[i]! * crossEntropy(oneHot(argmax(row)), strong[i]!)));

const EXPECTED: Record<ConsistencyMethod, () => Seen[]> = {
  fixmatch: () =>
    PASSES_SEEN.map((pass, t) => {
      const p = predictions[t]!;
      const mask = p.map((row) => (Math.max(...row) >= 0.95 ? 1 : 0));
      return { loss: ofLabelled(pass) + pseudoLoss(pass, p, mask), used: mean(mask) };
    }),

  flexmatch() {
    const last = new Map<number, number>();
    return PASSES_SEEN.map((pass, t) => {
      const p = predictions[t]!;
      const sigma = oneHot(-1).map((_, c) => [...last.values()].filter((label) => label === c).length);
      const most = Math.max(...sigma, IMAGES - last.size);
      const mask = p.map((row) => {
        const beta = sigma[argmax(row)]! / most;
        return Math.max(...row) >= (beta / (2 - beta)) * 0.95 ? 1 : 0;
      });
      for (const [i, row] of p.entries()) if (Math.max(...row) >= 0.95) last.set(pass.numbers[i]!, argmax(row));
      return { loss: ofLabelled(pass) + pseudoLoss(pass, p, mask), used: mean(mask) };
    });
  },

  freematch() {
    const tau = averages(predictions.map((p) => [mean(p.map((row) => Math.max(...row)))]));
    const shares = averages(predictions.map(meanRow));
    const histograms = averages(predictions.map((p) => meanRow(p.map((row) => oneHot(argmax(row))))));
    return PASSES_SEEN.map((pass, t) => {
      const p = predictions[t]!;
      const mask = p.map((row) => {
        const own = (shares[t]![argmax(row)]! / Math.max(...shares[t]!)) * tau[t]![0]!;
        return Math.max(...row) >= own ? 1 : 0;
      });
      const wanted = sumNorm(shares[t]!.map((x, k) => x / histograms[t]![k]!));
      const strong = pass.strong.filter((_, i) => mask[i] === 1).map(softmax);
      const histogram = meanRow(strong.map((row) => oneHot(argmax(row))));
      const found = sumNorm(meanRow(strong).map((x, k) => (histogram[k]! > 0 ? x / histogram[k]! : 0)));
      const fairness = wanted.reduce((sum, x, k) => sum + x * Math.log(found[k]! + 1e-12), 0);
      const ramp = Math.exp(-5 * (1 - Math.min(1, (t * SAMPLES) / (0.2 * TOTAL))) ** 2);
      return { loss: ofLabelled(pass) + ramp * (pseudoLoss(pass, p, mask) + 0.01 * fairness), used: mean(mask) };
    });
  },

  softmatch() {
    const shares = averages(predictions.map(meanRow));
    const fitted = predictions.map((p, t) => p.map((row) => sumNorm(row.map((x, k) => x / K / shares[t]![k]!))));
    const confidence = fitted.map((p) => p.map((row) => Math.max(...row)));
    const means = averages(confidence.map((c) => [mean(c)]));
    const variances = averages(
      confidence.map((c) => [c.reduce((sum, x) => sum + (x - mean(c)) ** 2, 0) / (c.length - 1)]),
    );
    return PASSES_SEEN.map((pass, t) => {
      const weights = confidence[t]!.map((c) => {
        const [mu, variance] = [means[t]![0]!, variances[t]![0]!];
        return c >= mu ? 1 : Math.exp(-((c - mu) ** 2) / (2 * (variance / 2 ** 2)));
      });
      // Alignment weighs; the label is that of the prediction.
      return { loss: ofLabelled(pass) + pseudoLoss(pass, predictions[t]!, weights), used: mean(weights) };
    });
  },

  adamatch() {
    const seenShares = averages(predictions.map(meanRow));
    const wanted = averages(labelledPredictions.map(meanRow));
    return PASSES_SEEN.map((pass, t) => {
      const fitted = predictions[t]!.map((row) =>
        sumNorm(row.map((x, k) => (x * wanted[t]![k]!) / seenShares[t]![k]!)),
      );
      const tau = 0.9 * mean(labelledPredictions[t]!.map((row) => Math.max(...row)));
      const mask = fitted.map((row) => (Math.max(...row) >= tau ? 1 : 0));
      const ramp = 0.5 - 0.5 * Math.cos(Math.min(Math.PI, (2 * Math.PI * t * SAMPLES) / TOTAL));
      return { loss: ofLabelled(pass) + ramp * pseudoLoss(pass, fitted, mask), used: mean(mask) };
    });
  },

  uda: () =>
    PASSES_SEEN.map((pass, t) => {
      const p = predictions[t]!;
      const mask = p.map((row) => (Math.max(...row) >= 0.8 ? 1 : 0));
      const divergences = mask.map((isUsed, i) => {
        const q = softmax(pass.weak[i]!.map((z) => z / 0.4));
        return isUsed * q.reduce((sum, x, k) => sum + x * Math.log(x / softmax(pass.strong[i]!)[k]!), 0);
      });
      return { loss: ofLabelled(pass) + mean(divergences), used: mean(mask) };
    }),

  mixmatch: () =>
    PASSES_SEEN.map((pass, t) => {
      const q = predictions[t]!.map((p, i) => {
        const second = softmax(pass.secondWeak[i]!);
        return sumNorm(p.map((x, k) => ((x + second[k]!) / 2) ** (1 / 0.5)));
      });
      // As rows lie: sample by sample.
      const labels = pass.labels.flatMap((label, i) => {
        const own = q.slice(i * RATIO, (i + 1) * RATIO);
        return [oneHot(label), ...own, ...own];
      });
      const logits = pass.labelled.flatMap((row, i) => [
        row,
        ...pass.strong.slice(i * RATIO, (i + 1) * RATIO),
        ...pass.secondStrong.slice(i * RATIO, (i + 1) * RATIO),
      ]);
      const mixed = labels.map((label, i) => {
        const share = pass.shares[i]!;
        return label.map((x, k) => share * x + (1 - share) * labels[pass.partners[i]!]![k]!);
      });
      const isLabelled = (i: number): boolean => i % (1 + 2 * RATIO) === 0;
      const own = mixed.flatMap((label, i) => (isLabelled(i) ? [crossEntropy(label, logits[i]!)] : []));
      const errors = mixed.flatMap((label, i) =>
        isLabelled(i) ? [] : [mean(label.map((x, k) => (x - softmax(logits[i]!)[k]!) ** 2))],
      );
      return { loss: mean(own) + 75 * ((t * SAMPLES) / TOTAL) * mean(errors), used: 1 };
    }),

  meanteacher: () =>
    PASSES_SEEN.map((pass, t) => {
      const errors = predictions[t]!.map((q, i) => mean(q.map((x, k) => (x - softmax(pass.strong[i]!)[k]!) ** 2)));
      const ramp = Math.exp(-5 * (1 - Math.min(1, (t * SAMPLES) / (0.4 * TOTAL))) ** 2);
      return { loss: ofLabelled(pass) + 50 * ramp * mean(errors), used: 1 };
    }),
};

const METHODS = Object.keys(CONSISTENCY_METHODS) as ConsistencyMethod[];

describe('every method is the formula of its paper', () => {
  it.each(METHODS)('%s, over several passes', (method) => {
    const found = seen(optionsOf(method));
    for (const [t, expected] of EXPECTED[method]().entries()) {
      expect(found[t]!.loss).toBeCloseTo(expected.loss, 5);
      expect(found[t]!.used).toBeCloseTo(expected.used, 5);
    }
    // A case that tells thresholds from none.
    if (CONSISTENCY_METHODS[method].threshold.kind !== 'none')
      expect(found.some(({ used }) => used > 0.05 && used < 0.95)).toBe(true);
  });

  it('with labels made fair: logits less lambda times the logarithm of the mean prediction', () => {
    const found = seen(optionsOf('fixmatch', { debias: 0.5 }));
    const shares = averages(predictions.map(meanRow));
    for (const [t, pass] of PASSES_SEEN.entries()) {
      const p = pass.weak.map((row) => softmax(row.map((z, k) => z - 0.5 * Math.log(shares[t]![k]!))));
      const mask = p.map((row) => (Math.max(...row) >= 0.95 ? 1 : 0));
      expect(found[t]!.loss).toBeCloseTo(ofLabelled(pass) + pseudoLoss(pass, p, mask), 5);
    }
  });

  it.each(['logarithmic', 'linear', 'exponential'] as const)('with %s training signal annealing', (annealing) => {
    const found = seen(optionsOf('fixmatch', { annealing }));
    const plain = seen(optionsOf('fixmatch'));
    for (const [t, pass] of PASSES_SEEN.entries()) {
      const done = (t * SAMPLES) / TOTAL;
      const alpha = { logarithmic: 1 - Math.exp(-5 * done), linear: done, exponential: Math.exp(5 * (done - 1)) };
      const eta = alpha[annealing] * (1 - 1 / K) + 1 / K;
      const kept = pass.labelled.map((row, i) => softmax(row)[pass.labels[i]!]! < eta);
      const losses = pass.labelled.map((row, i) => crossEntropy(oneHot(pass.labels[i]!), row));
      const sum = losses.filter((_, i) => kept[i]).reduce((a, b) => a + b, 0);
      const annealed = sum / Math.max(kept.filter(Boolean).length, 1);
      expect(found[t]!.loss - plain[t]!.loss).toBeCloseTo(annealed - ofLabelled(pass), 5);
    }
  });

  it('with told shares of the classes, labels are aligned to them', () => {
    const to = [0.4, 0.3, 0.2, 0.1];
    const found = seen(optionsOf('fixmatch', { alignment: { to, of: 'labels' } }));
    const shares = averages(predictions.map(meanRow));
    for (const [t, pass] of PASSES_SEEN.entries()) {
      const fitted = predictions[t]!.map((row) => sumNorm(row.map((x, k) => (x * to[k]!) / shares[t]![k]!)));
      const mask = fitted.map((row) => (Math.max(...row) >= 0.95 ? 1 : 0));
      expect(found[t]!.loss).toBeCloseTo(ofLabelled(pass) + pseudoLoss(pass, fitted, mask), 5);
    }
  });
});

describe('gradients', () => {
  it.each(METHODS)('of %s are those of central differences, and none passes what labels', (method) => {
    const options = optionsOf(method);
    const { graph, constants, rows } = graphOf(options);
    // In the third pass, ramps have begun and averages are there.
    let state = new Map(consistencyObjective(options).state);
    for (const pass of PASSES_SEEN.slice(0, 2)) {
      const results = evaluate(graph, feedsOf(options, pass, state));
      state = new Map([...state.keys()].map((name) => [name, results.get(`next/${name}`)!]));
    }
    const feeds = feedsOf(options, PASSES_SEEN[2]!, state);
    const differentiated = gradient(graph, 'loss_out', ['logits'], { constants });
    const slopes = toNumbers(evaluate(differentiated.graph, feeds).get(differentiated.gradients.get('logits')!)!);
    const logits = feeds.get('logits')!;
    const lossWith = (at: number, change: number): number => {
      const values = toNumbers(logits).map((z, i) => (i === at ? z + change : z));
      const moved = new Map(feeds).set('logits', { ...logits, data: Float64Array.from(values), dtype: 'float64' });
      return toNumbers(evaluate(graph, moved).get('loss_out')!)[0]!;
    };
    const isWeak = (row: number): boolean => options.labeller === 'student' && row % rows >= 1 && row % rows <= RATIO;
    let compared = 0;
    for (const [i, slope] of slopes.entries()) {
      const row = Math.floor(i / K);
      if (isWeak(row)) {
        expect(slope).toBe(0);
        continue;
      }
      // What is predicted on labelled images is a constant where labels are aligned to it; a change of logits moves it.
      if (options.alignment?.to === 'labelled' && row % rows === 0) continue;
      const step = 1e-4;
      expect(slope).toBeCloseTo((lossWith(i, step) - lossWith(i, -step)) / (2 * step), 5);
      compared += Math.abs(slope) > 1e-4 ? 1 : 0;
    }
    expect(compared).toBeGreaterThan(20);
  });
});

describe('options out of range', () => {
  it.each([
    [{ ratio: 0 }, '"ratio" must be an integer of at least 1, got 0'],
    [{ halfLife: 0 }, '"halfLife" must be finite and over 0, got 0'],
    [{ weight: Number.NaN }, '"weight" must be finite and over 0, got NaN'],
    [{ threshold: { kind: 'fixed', value: 1.5 } }, 'from 0 to 1, got 1.5'],
  ] as const)('%j', (changes, message) => {
    expect(() => consistencyObjective(optionsOf('fixmatch', changes))).toThrow(message);
  });
});
