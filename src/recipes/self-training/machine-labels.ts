import { InputError } from '../../core/errors.ts';
import { outlierThreshold } from '../../evaluate/outliers.ts';
import { fitTemperature } from '../../evaluate/temperature.ts';
import type { LabellingRound } from '../../labelling/collapse.ts';
import type { Probabilities } from '../../labelling/probabilities.ts';
import { labelImages, type Labelling, type LabellingOptions } from '../../labelling/label-images.ts';
import { heldOf, type HeldAnswers } from './held-answers.ts';
import type { Answer } from './labeller.ts';

/** Of each class, the share that is used where a threshold lets nothing through. */
const RESCUED_SHARE = 0.2;

export interface MachineLabels extends Labelling {
  /** What a person must know. */
  readonly warning?: string;
}

/**
 * Labels of images from a labeller's answers, which are calibrated on what the labeller, or one trained as it was, said of
 * images that it was not trained on.
 */
export function machineLabels(
  { probabilities, agreement, outliers }: Answer,
  classes: readonly string[],
  held: HeldAnswers | undefined,
  options: LabellingOptions,
): MachineLabels {
  const temperature = held === undefined ? 1 : fitTemperature(held).temperature;
  const threshold = outliers && held?.outliers && outlierThreshold(held.outliers);
  const input = {
    classes,
    probabilities: softened(probabilities, classes.length, temperature),
    ...(held && {
      held: {
        probabilities: softened(heldOf(held).probabilities, classes.length, temperature),
        labels: held.labels,
        agreement: held.agreement,
      },
    }),
    agreement,
    ...(threshold !== undefined && { outliers: { scores: outliers!, threshold } }),
  };
  const made = labelImages(input, options);
  if (made.labels.some(({ used, weight }) => used && weight > 0)) return made;
  const surest = Math.max(...made.labels.map(({ probability }) => probability));
  const rescued = labelImages(input, { ...options, threshold: { kind: 'rank', share: RESCUED_SHARE } });
  if (!rescued.labels.some(({ used, weight }) => used && weight > 0))
    throw new InputError('No machine label can be used: every one has the weight 0.');
  return {
    ...rescued,
    warning: `The threshold lets none of ${made.labels.length} machine labels through (the surest has a probability of ${surest.toFixed(3)}): the surest fifth of each class is used in its place.`,
  };
}

/** [N, K] p^(1/T), each row with the sum 1. */
function softened(probabilities: Probabilities, classes: number, temperature: number): Float32Array {
  const result = Float32Array.from(probabilities, (p) => Math.max(p, 1e-30) ** (1 / temperature));
  for (let row = 0; row < result.length; row += classes) {
    let sum = 0;
    for (let k = 0; k < classes; k++) sum += result[row + k]!;
    for (let k = 0; k < classes; k++) result[row + k]! /= sum;
  }
  return result;
}

/** How many images are taken for each class, and how many of them are used. */
export function countsOf(
  { summary }: Labelling,
  classes: readonly string[],
): Pick<LabellingRound, 'predicted' | 'used'> {
  const of = (what: 'predicted' | 'used'): number[] => classes.map((name) => summary.perClass[name]![what]);
  return { predicted: of('predicted'), used: of('used') };
}
