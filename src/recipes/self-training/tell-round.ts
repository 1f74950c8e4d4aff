import type { HeldAnswers } from './held-answers.ts';
import type { MachineLabels } from './machine-labels.ts';
import { scoreOf, type Verdict } from './round-score.ts';
import type { Workshop } from '../workshop/workshop.ts';

/** Records a round, as the report shows it, and says it to a person. */
export function tellRound(
  { record, onProgress }: Workshop,
  round: {
    /** 0 is the first teacher. */
    readonly number: number;
    readonly network: string;
    readonly held: HeldAnswers | undefined;
    readonly labels: MachineLabels | undefined;
    readonly verdict: Verdict;
    /** Why it is not kept, or what is wrong. */
    readonly reasons: readonly string[];
  },
): void {
  const { number, network, held, labels, verdict, reasons } = round;
  const { isKept, rise } = verdict;
  const score = held && scoreOf(held);
  record({
    type: 'round',
    round: number,
    network,
    ...(score && { ...score, heldOut: held!.foundOn }),
    ...(labels && {
      unlabelled: labels.summary.images,
      used: labels.summary.used,
      setAside: labels.summary.setAside,
      ...(labels.summary.expectedRight !== undefined && { expectedRight: labels.summary.expectedRight }),
      perClass: labels.summary.perClass,
      prior: labels.prior,
    }),
    ...(rise && { rise: rise.mean, riseInterval: rise.interval }),
    isKept,
    ...(reasons.length > 0 && { reasons }),
  });
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  const found =
    score === undefined
      ? ''
      : ` ${percent(score.accuracy)} right, negative log-likelihood ${score.nll.toFixed(3)}, on ${held!.foundOn}.`;
  const { used, images, setAside, expectedRight: right } = labels?.summary ?? {};
  const quality = right === undefined ? '' : `, of which ${percent(right)} are estimated to be right`;
  const apart = setAside === undefined || setAside === 0 ? '' : ` ${setAside} images look like none of the classes.`;
  const from = labels === undefined ? '' : ` ${used} of ${images} machine labels are used${quality}.${apart}`;
  const end = isKept ? '' : ` It is not kept: ${reasons.join(' ')}.`;
  onProgress?.({
    type: 'note',
    message: `${number === 0 ? 'First teacher' : `Round ${number}`}:${from}${found}${end}`,
  });
}
