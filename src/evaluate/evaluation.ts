import { calibrationMetrics, type CalibrationMetrics } from './calibration.ts';
import { classificationMetrics, type ClassificationMetrics } from './classification.ts';
import { wilsonInterval } from './interval.ts';
import { worstMistakes, type Mistake } from './mistakes.ts';
import { checkPredictions, decisions, type Predictions } from './predictions.ts';

/** Everything that is said about a classifier on one set of labelled images; plain JSON. */
export interface Evaluation extends ClassificationMetrics, CalibrationMetrics {
  readonly n: number;
  readonly classes: readonly string[];
  /** Of `accuracy`: 95 %, Wilson. */
  readonly interval: readonly [low: number, high: number];
  /** What the logits were divided by, for all that depends on probabilities. */
  readonly temperature: number;
  /** The same at temperature 1. */
  readonly uncalibrated: CalibrationMetrics;
  /** The surest first. */
  readonly mistakes: readonly Mistake[];
}

export interface EvaluationOptions {
  /** Default 1. */
  readonly temperature?: number;
  /** How many mistakes are listed; default 24. */
  readonly mistakes?: number;
}

/**
 * @throws RangeError where sizes disagree, a label is no class, a logit is not finite, or there is no row.
 * @example
 * const { accuracy, interval } = evaluatePredictions({ classes: ['cat', 'dog'], logits, labels });
 */
export function evaluatePredictions(predictions: Predictions, options: EvaluationOptions = {}): Evaluation {
  checkPredictions(predictions);
  const { temperature = 1, mistakes = 24 } = options;
  const { classes, labels } = predictions;
  const rows = decisions(predictions, temperature);
  const n = labels.length;
  const classification = classificationMetrics(rows, classes);
  return {
    n,
    classes,
    ...classification,
    interval: wilsonInterval(Math.round(classification.accuracy * n), n),
    temperature,
    ...calibrationMetrics(rows),
    uncalibrated: calibrationMetrics(temperature === 1 ? rows : decisions(predictions)),
    mistakes: worstMistakes(rows, classes, predictions.ids ?? rows.map((_, i) => String(i)), mistakes),
  };
}
