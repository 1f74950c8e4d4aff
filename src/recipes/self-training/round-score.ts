import { pairedDifference, type PairedDifference } from '../../evaluate/paired-difference.ts';
import { calibratedDecisions } from '../../evaluate/temperature.ts';
import type { HeldOutPredictions } from '../results/held-out-predictions.ts';

/** Of held-out images. */
export interface RoundScore {
  readonly accuracy: number;
  /** Mean negative log-likelihood at the temperature that suits. */
  readonly nll: number;
  readonly n: number;
}

export function scoreOf(held: HeldOutPredictions): RoundScore {
  const rows = calibratedDecisions(held);
  return {
    accuracy: rows.filter(({ label, predicted }) => label === predicted).length / rows.length,
    nll: rows.reduce((sum, { nll }) => sum + nll, 0) / rows.length,
    n: rows.length,
  };
}

/** What becomes of a round's student. */
export interface Verdict {
  readonly isKept: boolean;
  /** Whether a further round may be worth it. */
  readonly goesOn: boolean;
  /** By how much its answers are likelier than those of the best before; undefined where nothing was held out. */
  readonly rise?: PairedDifference;
}

/**
 * Compares the likelihood that a round's student gives the true classes of held-out images with what the best before gave them,
 * each at its own best temperature: of a hundred images, accuracy would tell too little. Only a better student is kept,
 * and only a rise beyond the noise (a paired 95 % interval above 0) is worth another round.
 * @param isShorter the student was trained for less long than what it is compared with: then only one that is surely less likely, and less often right, ends the rounds
 */
export function verdictOn(
  held: HeldOutPredictions | undefined,
  best: HeldOutPredictions | undefined,
  isShorter: boolean,
): Verdict {
  if (held === undefined || best === undefined) return { isKept: true, goesOn: true };
  const likelihoods = (of: HeldOutPredictions): number[] => calibratedDecisions(of).map(({ nll }) => -nll);
  const rise = pairedDifference(likelihoods(held), likelihoods(best));
  // Where all answers are right there is no best temperature, and the less sure of two looks worse.
  const isClearlyWorse = rise.interval[1] < 0 && scoreOf(held).accuracy < scoreOf(best).accuracy;
  const isKept = isShorter ? !isClearlyWorse : rise.mean > 0;
  return { isKept, goesOn: isKept && (isShorter || rise.interval[0] > 0), rise };
}
