import { cholesky, solveCholesky } from '../core/cholesky.ts';
import { meanRow, type Probabilities } from './probabilities.ts';

/** Of the mean diagonal of CᵀC: enough that a class nobody has seen doesn't make the system singular. */
const RIDGE = 1e-3;

/**
 * Black box shift estimation (Lipton, Wang and Smola 2018, section 3, the soft form): how often each class occurs among
 * unlabelled images, if images of a class look the same in both parts. With C[i][j] = mean of p_i over held images of
 * class j, the mean prediction of the unlabelled ones is C q; q is found by least squares, cut at 0 and scaled to 1.
 * @param held [M, K] of labelled images, by models that did not see them; every class needs an image
 * @param probabilities [N, K] of unlabelled images, by the same kind of model
 * @returns q [K]
 */
export function blackBoxShift(
  held: Probabilities,
  labels: readonly number[],
  probabilities: Probabilities,
  classes: number,
): number[] {
  const counts = new Float64Array(classes);
  const given = new Float64Array(classes * classes);
  for (const [row, label] of labels.entries()) {
    counts[label]!++;
    for (let k = 0; k < classes; k++) given[k * classes + label]! += held[row * classes + k]!;
  }
  for (let i = 0; i < given.length; i++) given[i]! /= Math.max(1, counts[i % classes]!);
  const target = meanRow(probabilities, classes);
  const product = new Float64Array(classes);
  const square = new Float64Array(classes * classes);
  for (let a = 0; a < classes; a++)
    for (let i = 0; i < classes; i++) {
      product[a]! += given[i * classes + a]! * target[i]!;
      for (let b = 0; b < classes; b++) square[a * classes + b]! += given[i * classes + a]! * given[i * classes + b]!;
    }
  let trace = 0;
  for (let k = 0; k < classes; k++) trace += square[k * classes + k]!;
  for (let k = 0; k < classes; k++) square[k * classes + k]! += (RIDGE * trace) / classes;
  const shares = solveCholesky(cholesky(square, classes), product, classes).map((share) => Math.max(0, share));
  const sum = shares.reduce((total, share) => total + share, 0);
  return Array.from(shares, (share) => share / sum);
}
