import { confidentJoint } from './confident-learning.ts';
import { checkProbabilities, type Probabilities } from './probabilities.ts';

export interface LabelIssuesInput {
  readonly classes: readonly string[];
  /** [N] class indices, as they were given. */
  readonly labels: readonly number[];
  /** [N, K] of models that did not learn from the image. */
  readonly probabilities: Probabilities;
  /** [N, K] a second opinion, of a model of another kind: what the image's nearest neighbours are labelled. */
  readonly neighbours?: Probabilities;
}

export interface JudgedLabel {
  /** Place among the labels that were given. */
  readonly index: number;
  readonly label: number;
  /** The most probable other class. */
  readonly probable: number;
  /** How far the label is believed, 0..1: its probability, all opinions joined. */
  readonly quality: number;
  /** The same of the other class. */
  readonly probability: number;
  /** Whether confident learning counts it as of another class. */
  readonly suspected: boolean;
}

export interface LabelIssues {
  /** All labels, the least believed first. */
  readonly ranking: readonly JudgedLabel[];
  readonly suspected: number;
  /** Estimated share of wrong labels, 0..1: what lies beside the diagonal of the joint distribution. */
  readonly noise: number;
  /** [K][K] estimated shares of all images: given label by true class. */
  readonly joint: readonly (readonly number[])[];
}

/**
 * Labels by how far they are believed, and which of them are probably wrong: confident learning (`confidentJoint`) says which and how
 * many, self-confidence in which order (Northcutt et al. 2021, arXiv:1911.00068; Kuan and Mueller 2022). Where there is a second
 * opinion, both are joined by their normalised product.
 * @throws RangeError where sizes disagree
 * @example
 * const { ranking, suspected } = findLabelIssues({ classes: ['cat', 'dog'], labels, probabilities });
 */
export function findLabelIssues({ classes, labels, probabilities, neighbours }: LabelIssuesInput): LabelIssues {
  const size = classes.length;
  const opinion = neighbours === undefined ? probabilities : joined(probabilities, neighbours, size);
  const { joint, believed } = confidentJoint(opinion, labels, size);
  const ranking = labels
    .map((label, index): JudgedLabel => {
      const row = opinion.subarray(index * size, (index + 1) * size);
      let probable = label === 0 ? 1 : 0;
      for (let k = 0; k < size; k++) if (k !== label && row[k]! > row[probable]!) probable = k;
      const isOther = believed[index]! >= 0 && believed[index] !== label;
      return {
        index,
        label,
        probable: isOther ? believed[index]! : probable,
        quality: row[label]!,
        probability: row[isOther ? believed[index]! : probable]!,
        suspected: isOther,
      };
    })
    .toSorted((a, b) => a.quality - b.quality || a.index - b.index);
  return {
    ranking,
    suspected: ranking.filter(({ suspected }) => suspected).length,
    noise: 1 - joint.reduce((sum, row, k) => sum + row[k]!, 0),
    joint,
  };
}

/** What the second opinion counts for beside the first, as a power: it is of the same features, so no independent witness. */
const SECOND = 0.5;

/** The normalised product of two opinions. */
function joined(a: Probabilities, b: Probabilities, classes: number): Float64Array {
  checkProbabilities(b, classes, 'neighbours');
  if (a.length !== b.length)
    throw new RangeError(`Two opinions of the same images, got ${a.length} and ${b.length} numbers.`);
  const result = Float64Array.from(a, (p, i) => p * b[i]! ** SECOND);
  for (let start = 0; start < result.length; start += classes) {
    let sum = 0;
    for (let k = 0; k < classes; k++) sum += result[start + k]!;
    for (let k = 0; k < classes; k++) result[start + k] = sum > 0 ? result[start + k]! / sum : a[start + k]!;
  }
  return result;
}
