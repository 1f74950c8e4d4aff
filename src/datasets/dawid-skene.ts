/** One answer. */
export interface Vote {
  readonly item: number;
  readonly annotator: number;
  readonly label: number;
}

export interface JoinedVotes {
  /** [N][K] chance of each class, given all answers; sum 1. */
  readonly posterior: readonly Float64Array[];
  /** [A][K][K] what each annotator says (column) of an image of each class (row); rows of sum 1. */
  readonly confusion: readonly (readonly Float64Array[])[];
  /** [K] shares of the classes. */
  readonly prior: Float64Array;
  readonly iterations: number;
}

export interface DawidSkeneOptions {
  /** Answers that each annotator has given of each class before the first, three quarters of them right. Default 2; over 0. */
  readonly smoothing?: number;
}

const MOST_ITERATIONS = 200;
const TOLERANCE = 1e-7;

/**
 * Joins the answers of several annotators by the EM of Dawid and Skene 1979 (Applied Statistics 28, section 3): from the shares of
 * votes on, confusion matrices and class shares are estimated from the chances of the classes (eq. 2.3, 2.4) and the
 * chances from these (eq. 2.5), until they stay. Counts are smoothed, as few answers an annotator would make certainties.
 * @param items N; each with an answer at least
 * @throws RangeError for an item without an answer, or an answer outside of items, annotators and classes
 */
export function joinVotes(
  votes: readonly Vote[],
  items: number,
  annotators: number,
  classes: number,
  { smoothing = 2 }: DawidSkeneOptions = {},
): JoinedVotes {
  if (!(smoothing > 0)) throw new RangeError(`Smoothing must be over 0, got ${smoothing}.`);
  const byItem = Array.from({ length: items }, (): Vote[] => []);
  for (const vote of votes) {
    const { item, annotator, label } = vote;
    if (!(item in byItem) || !(annotator >= 0 && annotator < annotators) || !(label >= 0 && label < classes))
      throw new RangeError(`The answer ${JSON.stringify(vote)} is not of ${items} items, ${annotators} annotators and ${classes} classes.`); // prettier-ignore
    byItem[item]!.push(vote);
  }
  let posterior = byItem.map((own, item) => {
    if (own.length === 0) throw new RangeError(`Item ${item} has no answer.`);
    const shares = new Float64Array(classes);
    for (const { label } of own) shares[label]! += 1 / own.length;
    return shares;
  });
  for (let iterations = 1; ; iterations++) {
    const { prior, confusion } = estimated(votes, posterior, annotators, classes, smoothing);
    const next = byItem.map((own) => chancesOf(own, prior, confusion));
    const moved = Math.max(0, ...next.map((row, i) => row.reduce((most, p, k) => Math.max(most, Math.abs(p - posterior[i]![k]!)), 0))); // prettier-ignore
    posterior = next;
    if (moved < TOLERANCE || iterations === MOST_ITERATIONS) return { posterior, confusion, prior, iterations };
  }
}

function estimated(
  votes: readonly Vote[],
  posterior: readonly Float64Array[],
  annotators: number,
  classes: number,
  smoothing: number,
): { prior: Float64Array; confusion: Float64Array[][] } {
  const prior = new Float64Array(classes).fill(1);
  for (const row of posterior) for (let k = 0; k < classes; k++) prior[k]! += row[k]!;
  const wrong = classes > 1 ? 0.25 / (classes - 1) : 0;
  const counts = Array.from({ length: annotators }, () =>
    Array.from({ length: classes }, (_, k) =>
      Float64Array.from({ length: classes }, (__, l) => smoothing * (k === l ? 1 - wrong * (classes - 1) : wrong)),
    ),
  );
  for (const { item, annotator, label } of votes)
    for (let k = 0; k < classes; k++) counts[annotator]![k]![label]! += posterior[item]![k]!;
  return { prior: normalised(prior), confusion: counts.map((rows) => rows.map(normalised)) };
}

function chancesOf(
  own: readonly Vote[],
  prior: Float64Array,
  confusion: readonly Float64Array[][],
): Float64Array<ArrayBuffer> {
  const logs = prior.map((p, k) =>
    own.reduce((sum, { annotator, label }) => sum + Math.log(confusion[annotator]![k]![label]!), Math.log(p)),
  );
  const largest = Math.max(...logs);
  return normalised(logs.map((log) => Math.exp(log - largest)));
}

function normalised(values: Float64Array): Float64Array<ArrayBuffer> {
  const sum = values.reduce((total, value) => total + value, 0);
  return Float64Array.from(values, (value) => value / sum);
}
