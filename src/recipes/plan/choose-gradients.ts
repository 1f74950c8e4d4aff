import { fitTemperature } from '../../evaluate/temperature.ts';
import type { HeldOutPredictions } from '../held-out-predictions.ts';
import { underName } from '../under-name.ts';
import { within } from './courses.ts';
import { PROBE_FOLDS } from './open-plan.ts';
import { tellStage, type Candidate, type PlanSite } from './plan-site.ts';
import { openedQuietly } from './probe-attempt.ts';
import { accuracyOf } from './rank-backbones.ts';

/**
 * Whether histograms of the image's gradients are joined to a backbone's features: where a probe with them makes held-out images
 * likelier; not where nothing can be held out. Two probes on features that are computed once.
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
    tried.push({ held, nll: held && fitTemperature(held).nllAfter });
  }
  const [without, joined] = [tried[0]!, tried[1]!];
  const chosen = without.nll !== undefined && joined.nll !== undefined && joined.nll < without.nll;
  if (without.held !== undefined && joined.held !== undefined)
    tellStage(site, {
      stage: 'gradients',
      state: chosen ? 'kept' : 'dropped',
      why:
        `With histograms of the image's gradients among its features, a probe is right for ${percent(joined.held)} of images held out, ` +
        `without them for ${percent(without.held)}; the likelihood decides (${joined.nll!.toFixed(3)} and ${without.nll!.toFixed(3)} nats an image, the less the better).`,
    });
  const { held: other } = chosen ? without : joined;
  return { gradients: chosen, others: other === undefined ? [] : [other] };
}

const percent = (held: Parameters<typeof accuracyOf>[0]): string => `${(100 * accuracyOf(held)).toFixed(1)} %`;
