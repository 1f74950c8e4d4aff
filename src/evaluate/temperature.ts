import { checkPredictions, decisions, type Predictions } from './predictions.ts';

export interface TemperatureFit {
  /** Divides the logits. */
  readonly temperature: number;
  /** Mean negative log-likelihood of the same rows at temperature 1, and at `temperature`. */
  readonly nllBefore: number;
  readonly nllAfter: number;
}

/** Beyond these, a temperature says more about the rows it was fitted on than about the network. */
const LOWEST = 0.1;
const HIGHEST = 10;

/**
 * Temperature scaling (Guo et al., 2017, 4.2): the T for which softmax(logits / T) has the lowest mean
 * negative log-likelihood, within 0.1..10. The rows must not have been trained on: held out, or out of fold.
 * Where no row is wrong there is nothing to learn (the colder, the better), and T stays 1.
 */
export function fitTemperature(predictions: Predictions): TemperatureFit {
  checkPredictions(predictions);
  const nll = (temperature: number): number => {
    const rows = decisions(predictions, temperature);
    return rows.reduce((sum, row) => sum + row.nll, 0) / rows.length;
  };
  const nllBefore = nll(1);
  const isAllRight = decisions(predictions).every(({ label, predicted }) => label === predicted);
  if (isAllRight) return { temperature: 1, nllBefore, nllAfter: nllBefore };
  const temperature = 1 / risingRoot((beta) => slope(predictions, beta), 1 / HIGHEST, 1 / LOWEST);
  return { temperature, nllBefore, nllAfter: nll(temperature) };
}

/** What held-out rows say at the temperature that suits them. */
export function calibratedDecisions(predictions: Predictions): ReturnType<typeof decisions> {
  return decisions(predictions, fitTemperature(predictions).temperature);
}

/**
 * Derivative of the mean NLL by beta = 1/T: mean of E_p[z] - z_label. It rises with beta (its derivative is a
 * variance), so the NLL has one minimum.
 */
function slope(predictions: Predictions, beta: number): number {
  const { logits, classes, labels } = predictions;
  const k = classes.length;
  let total = 0;
  for (const [row, { probabilities, label }] of decisions(predictions, 1 / beta).entries()) {
    let expected = 0;
    for (let j = 0; j < k; j++) expected += probabilities[j]! * logits[row * k + j]!;
    total += expected - logits[row * k + label]!;
  }
  return total / labels.length;
}

/** Where a rising function crosses zero, by bisection in the logarithm; a limit where it does not. */
function risingRoot(f: (x: number) => number, low: number, high: number): number {
  if (f(low) >= 0) return low;
  if (f(high) <= 0) return high;
  let [a, b] = [Math.log(low), Math.log(high)];
  for (let i = 0; i < 36; i++) {
    const middle = (a + b) / 2;
    if (f(Math.exp(middle)) < 0) a = middle;
    else b = middle;
  }
  return Math.exp((a + b) / 2);
}
