import { randomStream } from '../../src/core/random.ts';

export interface SimulatedPool {
  readonly classes: string[];
  /** Ten images a class. */
  readonly held: { readonly probabilities: Float32Array; readonly labels: number[] };
  readonly probabilities: Float32Array;
  /** Of the pool's images. */
  readonly truth: number[];
  /** Class shares of which they were drawn. */
  readonly shares: number[];
}

/**
 * Predictions of an over-confident teacher, right for about two thirds, which favours some classes, finds some harder,
 * and takes each for one other more often; the most frequent class of the pool is `skew` times as frequent as the rarest.
 */
export function simulatedPool(
  seed: number,
  { images = 800, perClass = 10, skew = 7, classes: size = 10 } = {},
): SimulatedPool {
  const stream = randomStream('simulated pool', seed);
  const distances = Array.from({ length: size }, () => 1.3 + 1.8 * stream.uniform());
  const favour = Array.from({ length: size }, () => 0.5 * stream.normal());
  const confusedWith = Array.from({ length: size }, () => stream.integer(size));
  const amounts = Array.from({ length: size }, (_, k) => skew ** -(((k * 7) % size) / (size - 1)));
  const total = amounts.reduce((sum, amount) => sum + amount, 0);
  const shares = amounts.map((amount) => amount / total);
  const drawClass = (): number => {
    let rest = stream.uniform();
    return Math.max(
      0,
      shares.findIndex((share) => (rest -= share) < 0),
    );
  };
  const predict = (label: number): number[] => {
    const logits = favour.map((offset, k) => {
      const signal = k === label ? distances[label]! : k === confusedWith[label] ? 0.8 : 0;
      return 4.4 * (signal + stream.normal()) + offset;
    });
    const largest = Math.max(...logits);
    const exponentials = logits.map((z) => Math.exp(z - largest));
    const sum = exponentials.reduce((all, e) => all + e, 0);
    return exponentials.map((e) => e / sum);
  };
  const labels = Array.from({ length: perClass * size }, (_, i) => i % size);
  const truth = Array.from({ length: images }, drawClass);
  return {
    classes: Array.from({ length: size }, (_, k) => `class ${k}`),
    held: { probabilities: Float32Array.from(labels.flatMap(predict)), labels },
    probabilities: Float32Array.from(truth.flatMap(predict)),
    truth,
    shares,
  };
}
