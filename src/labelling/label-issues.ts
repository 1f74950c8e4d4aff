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

/** What the margin counts for beside self-confidence (bench/label-quality.mjs). */
const MARGIN = 0.25;

export interface JudgedLabel {
  /** Place among the labels that were given. */
  readonly index: number;
  readonly label: number;
  /** The most probable other class. */
  readonly probable: number;
  /** Probabilities of the label and of the other class, all opinions joined. */
  readonly believed: number;
  readonly probability: number;
  /** What is ranked by, 0..1: low for labels that are probably wrong. */
  readonly quality: number;
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
 * many. The order is self-confidence p_y with a quarter of the normalised margin p_y - max p_k (Northcutt et al. 2021,
 * arXiv:1911.00068, section 3.2), as (p_y + (1 - max p_k) / 4) / 1.25 over the other classes k: the first finds labels that were made
 * wrong at random better, the second those of two classes that were mixed up. A second opinion counts as much as the first.
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
        believed: row[label]!,
        quality: (row[label]! + MARGIN * (1 - row[probable]!)) / (1 + MARGIN),
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

/** The mean of two opinions. */
function joined(a: Probabilities, b: Probabilities, classes: number): Float64Array {
  checkProbabilities(b, classes, 'neighbours');
  if (a.length !== b.length)
    throw new RangeError(`Two opinions of the same images, got ${a.length} and ${b.length} numbers.`);
  return Float64Array.from(a, (p, i) => (p + b[i]!) / 2);
}
