import { pairedDifference } from '../../evaluate/paired-difference.ts';
import { calibratedDecisions } from '../../evaluate/temperature.ts';
import type { HeldOutPredictions } from '../results/held-out-predictions.ts';
import { underName } from '../workshop/under-name.ts';
import { within } from './courses.ts';
import { PROBE_FOLDS } from './open-plan.ts';
import { tellStage, type Candidate, type PlanSite } from './plan-site.ts';
import { openedQuietly } from './probe-attempt.ts';
import { accuracyOf } from './rank-backbones.ts';

/**
 * Whether histograms of the image's gradients are joined to a backbone's features: unless a probe with them makes held-out images less
 * likely beyond the noise (a paired 95 % interval above 0); not where nothing can be held out. On all photos that were tried they
 * were worth 1 to 9 points, which a hundred images often do not show. Two probes on features that are computed once.
 */
export function chooseGradients(site: PlanSite, { spec, opened: before }: Candidate): Promise<GradientsChoice> {
  return within(site, before, (at) => choose(at, spec));
}

export interface GradientsChoice {
  readonly gradients: boolean;
  /** What the probe says out of fold that was not chosen. */
  readonly others: readonly HeldOutPredictions[];
}

async function choose(site: PlanSite, spec: string): Promise<GradientsChoice> {
  const { workshop, stages } = site;
  const tried = [];
  for (const gradients of [false, true]) {
    const { opened } = await openedQuietly(site, spec, { method: 'probe', folds: PROBE_FOLDS, gradients });
    const name = gradients ? 'with-gradients' : 'without-gradients';
    const { calibration: held } = await opened.train(underName(workshop, name), stages.within(`${name}-`));
    tried.push({ held, losses: held && lossesOf(held) });
  }
  const [without, joined] = [tried[0]!, tried[1]!];
  const rise = without.losses && joined.losses && pairedDifference(joined.losses, without.losses);
  const chosen = rise !== undefined && rise.interval[0] <= 0;
  if (rise !== undefined)
    tellStage(site, {
      stage: 'gradients',
      state: chosen ? 'kept' : 'dropped',
      why:
        `With histograms of the image's gradients among its features, a probe is right for ${percent(joined.held!)} of images held out, ` +
        `without them for ${percent(without.held!)}; it makes their classes ${Math.abs(rise.mean).toFixed(3)} nats ${rise.mean > 0 ? 'less likely' : 'likelier'} ` +
        `(95 % interval of the difference ${rise.interval.map((end) => end.toFixed(3)).join(' to ')}), and only what is surely less likely is dropped.`,
    });
  const { held: other } = chosen ? without : joined;
  return { gradients: chosen, others: other === undefined ? [] : [other] };
}

/** Negative log-likelihood of each image, at the temperature that suits. */
const lossesOf = (held: HeldOutPredictions): number[] => calibratedDecisions(held).map(({ nll }) => nll);

const percent = (held: Parameters<typeof accuracyOf>[0]): string => `${(100 * accuracyOf(held)).toFixed(1)} %`;
