/**
 * Which operations a data set bears: whether a network that did not see an image, and recognises it, still recognises
 * it once it is varied. Where one class turns into one other class the label has changed with the pixels (a 6 turned upside
 * down); where it is lost to no class in particular, or to one that takes all that is lost, too little is left to be seen.
 */

/** What a network said of images under one view; class indices. */
export interface ViewOutcome {
  readonly operation: string;
  /** 0..1 of the operation's strength, or undefined where it has but one. */
  readonly level: number | undefined;
  /** Whether it can change what a label means: then it is not safe before images show it. */
  readonly isRisky: boolean;
  /** Of each image, in the order of the labels. */
  readonly predicted: readonly number[];
}

export interface ClassSafety {
  readonly className: string;
  /** Images of the class that are recognised as they are. */
  readonly recognised: number;
  /** Of these, the share that is recognised no more. */
  readonly lost: number;
  /** The class that most of the lost are taken for, and what share of the recognised that is. */
  readonly takenFor?: { readonly className: string; readonly share: number };
  /** Whether the class turns into that one. */
  readonly changes: boolean;
}

export interface ViewSafety {
  readonly operation: string;
  readonly level: number | undefined;
  /** Of all recognised images, the share that is recognised no more, and its 95 % interval. */
  readonly lost: number;
  readonly interval: readonly [low: number, high: number];
  readonly verdict: 'safe' | 'hard to recognise' | 'changes labels' | 'not known';
  readonly classes: readonly ClassSafety[];
}

export interface SafetyLimits {
  /** A view is hard where surely more than this share of recognised images is lost. */
  readonly lost: number;
  /** A class changes where surely more than this share of it, and more than twice the share of the others, is taken for one other class. */
  readonly takenFor: number;
  /** What can change labels is safe only where surely no more than this share is lost. */
  readonly lostOfRisky: number;
}

export const DEFAULT_LIMITS: SafetyLimits = { lost: 0.25, takenFor: 0.25, lostOfRisky: 0.5 };

/**
 * @param labels true class of each image
 * @param plain predicted class of each image as it is
 * @param interval of a share: 95 %, for instance Wilson's
 * @throws RangeError where the lists differ in length
 */
export function judgeViews(
  classes: readonly string[],
  labels: readonly number[],
  plain: readonly number[],
  views: readonly ViewOutcome[],
  interval: (count: number, of: number) => readonly [number, number],
  limits: SafetyLimits = DEFAULT_LIMITS,
): ViewSafety[] {
  const known = [...labels.keys()].filter((i) => plain[i] === labels[i]);
  return views.map(({ operation, level, isRisky, predicted }) => {
    if (predicted.length !== labels.length)
      throw new RangeError(`"${operation}": expected predictions of ${labels.length} images, got ${predicted.length}.`);
    const perClass = classes.map((className, k): ClassSafety => {
      const ofClass = known.filter((i) => labels[i] === k);
      const counts = classes.map((_, j) => ofClass.filter((i) => predicted[i] === j).length);
      const lost = ofClass.length - counts[k]!;
      counts[k] = 0;
      const most = counts.indexOf(Math.max(...counts));
      const recognised = ofClass.length;
      if (lost === 0) return { className, recognised, lost: 0, changes: false };
      const share = counts[most]! / recognised;
      const others = known.filter((i) => labels[i] !== k && labels[i] !== most);
      const shareOfOthers = others.filter((i) => predicted[i] === most).length / Math.max(1, others.length);
      const changes = interval(counts[most]!, recognised)[0] > limits.takenFor && share > 2 * shareOfOthers;
      const takenFor = { className: classes[most]!, share };
      return { className, recognised, lost: lost / recognised, takenFor, changes };
    });
    const lost = known.filter((i) => predicted[i] !== labels[i]).length;
    const range = known.length === 0 ? ([0, 1] as const) : interval(lost, known.length);
    const verdict = perClass.some(({ changes }) => changes)
      ? 'changes labels'
      : range[0] > limits.lost
        ? 'hard to recognise'
        : isRisky && range[1] > limits.lostOfRisky
          ? 'not known'
          : 'safe';
    return {
      operation,
      level,
      lost: known.length === 0 ? 0 : lost / known.length,
      interval: range,
      verdict,
      classes: perClass,
    };
  });
}

/** Of each operation the highest level up to which it is safe, 0..1; 1 for a safe one without levels; 0: never. */
export function safeLevels(views: readonly ViewSafety[]): Map<string, number> {
  const levels = new Map<string, number>();
  for (const { operation, level = 1, verdict } of views) {
    const known = levels.get(operation) ?? 0;
    levels.set(operation, verdict === 'safe' ? Math.max(known, level) : known);
  }
  return levels;
}
