import { basename } from 'node:path';
import { randomStream, shuffled } from '../../core/random.ts';
import { decisions } from '../../evaluate/predictions.ts';
import { fitTemperature } from '../../evaluate/temperature.ts';
import { logMe } from '../../evaluate/log-me.ts';
import { openNetwork } from '../networks/open-network.ts';
import type { HeldOutPredictions } from '../results/held-out-predictions.ts';
import { underName } from '../workshop/under-name.ts';
import { workshopFor } from '../workshop/workshop-for.ts';
import { PROBE_FOLDS } from './open-plan.ts';
import { tellStage, type Candidate, type PlanSite } from './plan-site.ts';

/** Labelled images that backbones are compared on, at most: more would tell little more, and take long. */
const COMPARED = 500;

/** How well a backbone suits the data. */
export interface Suitability {
  readonly candidate: Candidate;
  /** Of a probe, out of fold; undefined where nothing can be held out. */
  readonly held: HeldOutPredictions | undefined;
  readonly accuracy: number | undefined;
  /** Mean negative log-likelihood at the best temperature. */
  readonly nll: number | undefined;
  readonly logMe: number;
}

/**
 * Backbones by how well they suit the data, the best first: by the mean of their places in the likelihood of a cross-validated
 * probe and in LogME, which sees all labels at once; where they are equal the probe decides.
 */
export async function rankBackbones(site: PlanSite, candidates: readonly Candidate[]): Promise<Suitability[]> {
  const { workshop, options, data, stages } = site;
  const start = performance.now();
  const { train, classes } = data;
  const tried = shuffled(train, randomStream(options.train.seed, 'rank')).slice(0, COMPARED);
  const found: Suitability[] = [];
  for (const [i, candidate] of candidates.entries()) {
    const own = { ...options.train, backbone: candidate.spec, method: 'probe' as const, folds: PROBE_FOLDS };
    const opened = await openNetwork(own, 'probe', { ...data, train: tried, validation: [] }, {});
    const name = `rank-${i + 1}`;
    found.push(
      await workshopFor(workshop, opened.preprocessing, options.train.maxPixels * 1e6, async (at) => {
        const { calibration: held } = await opened.train(underName(at, name), stages.within(`${name}-`));
        const features = await opened.features!(at, tried);
        const labels = tried.map(({ label }) => label);
        const evidence = logMe(features.data as Float32Array, labels, classes.length);
        const nll = held && fitTemperature(held).nllAfter;
        return { candidate, held, accuracy: held && accuracyOf(held), nll, logMe: evidence };
      }),
    );
  }
  const place = (of: (one: Suitability) => number, one: Suitability): number =>
    found.filter((other) => of(other) > of(one)).length;
  const likely = ({ nll }: Suitability): number => -(nll ?? 0);
  const score = (one: Suitability): number => place(likely, one) + place(({ logMe: value }) => value, one);
  const ranked = found.toSorted((a, b) => score(a) - score(b) || likely(b) - likely(a));
  workshop.record({
    type: 'plan-rank',
    backbones: ranked.map(({ candidate: { spec }, held: _, ...of }) => ({ spec, ...of })),
  });
  tellStage(site, {
    stage: 'rank',
    state: 'kept',
    why: `Of ${found.length} backbones on ${tried.length} labelled images: ${ranked.map(inWords).join('; ')}.`,
    seconds: (performance.now() - start) / 1000,
  });
  return ranked;
}

export function accuracyOf(held: HeldOutPredictions): number {
  const rows = decisions(held);
  return rows.filter(({ label, predicted }) => label === predicted).length / rows.length;
}

function inWords({ candidate, accuracy, nll, logMe: evidence }: Suitability): string {
  const probe =
    accuracy === undefined
      ? ''
      : `probe ${(100 * accuracy).toFixed(1)} % out of fold, negative log-likelihood ${nll!.toFixed(3)}, `;
  return `${basename(candidate.spec)} (${probe}LogME ${evidence.toFixed(3)})`;
}
