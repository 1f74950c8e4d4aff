import { basename } from 'node:path';
import { calibratedDecisions } from '../../evaluate/temperature.ts';
import type { HeldOutPredictions } from '../results/held-out-predictions.ts';
import { tellStage, type Candidate, type PlanSite } from './plan-site.ts';
import type { Suitability } from './rank-backbones.ts';

/** Each at its best temperature: the chance that it gives the right class of each image. */
type Chances = readonly number[];

/**
 * Which backbones' probes label together: the best, and one after the other of those that it outranks as long as the mean of
 * what they say out of fold makes the right classes likelier. One network then learns from them all.
 * @param ranked the best first
 * @returns two at least, or none: then the best labels alone
 */
export function chooseTeachers(site: PlanSite, ranked: readonly Suitability[]): Candidate[] {
  const all = ranked.flatMap(({ candidate, held }) =>
    held === undefined ? [] : [{ candidate, chances: chancesOf(held) }],
  );
  if (all.length < 2 || site.facts.withoutUnlabelled !== undefined) return [];
  const [first, ...others] = all as [(typeof all)[number], ...typeof all];
  const chosen = [first];
  for (const other of others) if (nllOf([...chosen, other]) < nllOf(chosen)) chosen.push(other);
  const names = chosen.map(({ candidate: { spec } }) => basename(spec));
  const likelihood = `${nllOf(chosen).toFixed(3)} nats an image held out, ${names[0]} alone ${nllOf([first]).toFixed(3)}`;
  tellStage(site, {
    stage: 'teachers',
    state: chosen.length > 1 ? 'kept' : 'dropped',
    why:
      chosen.length > 1
        ? `The probes of ${names.join(', ')} label unlabelled images together (${likelihood}).`
        : `No other probe beside that of ${names[0]} makes the right classes of images held out likelier.`,
  });
  return chosen.length > 1 ? chosen.map(({ candidate }) => candidate) : [];
}

const chancesOf = (held: HeldOutPredictions): Chances => calibratedDecisions(held).map(({ nll }) => Math.exp(-nll));

/** Of the mean of what they say; all are on the same images. */
function nllOf(all: readonly { readonly chances: Chances }[]): number {
  const rows = all[0]!.chances.length;
  let sum = 0;
  for (let row = 0; row < rows; row++)
    sum -= Math.log(all.reduce((total, { chances }) => total + chances[row]!, 0) / all.length);
  return sum / rows;
}
