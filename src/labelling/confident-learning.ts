import { checkProbabilities, type Probabilities } from './probabilities.ts';

/** How often which label stands for which class, as far as confident predictions tell. */
export interface ConfidentJoint {
  /** [K] mean self-confidence of the images of each class: from which probability on an image counts as of that class. NaN of a class without images. */
  readonly thresholds: readonly number[];
  /** [K][K] images with the label of the row that count as of the column's class. */
  readonly counts: readonly (readonly number[])[];
  /** The same as shares of all images, rows brought to the true number of labels; sum 1. */
  readonly joint: readonly (readonly number[])[];
  /** [N] the class that each image counts as; -1 where none reaches its threshold. */
  readonly believed: Int32Array;
}

/**
 * The confident joint of Northcutt, Jiang and Chuang 2021 (arXiv:1911.00068), section 3.1: an image with label i counts as of class j,
 * the most probable of those whose probability is at least the mean that images labelled j have for j (eq. 1 and 2). Its
 * calibration (eq. 3) makes rows sum to the number of labels.
 * @param probabilities [N, K] of models that did not learn from the image
 * @param labels [N] class indices
 * @throws RangeError where sizes disagree, or a label is none of the classes
 */
export function confidentJoint(
  probabilities: Probabilities,
  labels: readonly number[],
  classes: number,
): ConfidentJoint {
  const rows = checkProbabilities(probabilities, classes, 'out-of-fold predictions');
  if (rows !== labels.length) throw new RangeError(`${rows} rows of probabilities, but ${labels.length} labels.`);
  const sums = new Float64Array(classes);
  const sizes = new Float64Array(classes);
  for (const [i, label] of labels.entries()) {
    if (!Number.isInteger(label) || label < 0 || label >= classes)
      throw new RangeError(`Label ${label} of row ${i} is not one of ${classes} classes (0 to ${classes - 1}).`);
    sums[label]! += probabilities[i * classes + label]!;
    sizes[label]!++;
  }
  const thresholds = Array.from(sums, (sum, k) => sum / sizes[k]!);
  const counts = Array.from({ length: classes }, () => Array.from({ length: classes }, () => 0));
  const believed = new Int32Array(rows).fill(-1);
  for (const [i, label] of labels.entries()) {
    let best = -1;
    for (let k = 0; k < classes; k++) {
      const p = probabilities[i * classes + k]!;
      if (p >= thresholds[k]! && (best < 0 || p > probabilities[i * classes + best]!)) best = k;
    }
    believed[i] = best;
    if (best >= 0) counts[label]![best]!++;
  }
  const joint = counts.map((row, k) => {
    const sum = row.reduce((total, count) => total + count, 0);
    // Of a class without a confident image nothing is known: its labels are taken as they are.
    return row.map((count, j) => ((sum > 0 ? count / sum : j === k ? 1 : 0) * sizes[k]!) / rows);
  });
  return { thresholds, counts, joint, believed };
}
