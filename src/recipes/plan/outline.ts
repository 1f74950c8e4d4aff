import { finetuneLength, fixmatchLength, isTriedFirst, scratchLength, selfTrainLength, spreads } from './facts.ts';
import { OVERHEAD, spreadLength } from './lengths.ts';
import type { OpenedPlan } from './open-plan.ts';
import { networkKey, type PlanSite } from './plan-site.ts';
import { guessedRate, type RateSite } from './rates.ts';

/** What a stage is expected to take. */
export interface PlannedStage {
  readonly stage: string;
  readonly seconds: number;
  /** What it does, and why, or why it is left out. */
  readonly what: string;
}

/**
 * What a plan would do, before it is begun.
 * @param answer seconds in which the network answers an image
 * @param spent seconds so far: reading the data
 */
export function outlineOf(
  site: RateSite & Pick<PlanSite, 'facts' | 'finishing'>,
  { candidates, base }: OpenedPlan,
  answer: number,
  spent: number,
): PlannedStage[] {
  const { facts, finishing, options } = site;
  const stages: PlannedStage[] = [{ stage: 'read', seconds: spent, what: 'the data, and which images are copies' }];
  const time = () => ({
    left: options.budget - finishing - stages.reduce((sum, { seconds }) => sum + seconds, 0),
    budget: options.budget,
    mustProve: facts.crossValidated,
  });
  const add = (stage: string, length: { readonly seconds: number } | undefined, what: string, otherwise: string) =>
    stages.push({ stage, seconds: length?.seconds ?? 0, what: length === undefined ? `left out: ${otherwise}` : what });
  const short = facts.withoutUnlabelled ?? 'there is not enough time';
  const [candidate] = candidates;
  if (candidate !== undefined) {
    if (candidates.length > 1)
      add(
        'rank',
        { seconds: candidates.length * (OVERHEAD + facts.labelled * answer) },
        `${candidates.length} backbones by a cross-validated probe and LogME; what follows is estimated with the first`,
        '',
      );
    const train = guessedRate(site, 'finetune', base, answer);
    add(
      'probe',
      { seconds: OVERHEAD + facts.labelled * answer },
      `a new head on frozen features of ${facts.labelled} labelled images: a first model`,
      '',
    );
    const addTuned = (): void => {
      const tuned = finetuneLength(time(), facts, train);
      const proof = tuned?.folds === 0 ? 'without folds to prove it' : `proven on ${tuned?.folds} folds`;
      add('finetune', tuned, `${tuned?.epochs} epochs on the labelled images, ${proof}`, 'there is not enough time');
    };
    const isFirst =
      facts.withoutUnlabelled === undefined && isTriedFirst(time(), facts, train, site.data.validation.length > 0);
    if (isFirst) addTuned();
    const rounds = selfTrainLength(time(), facts, { train, answer });
    add(
      'self-train',
      rounds,
      rounds === undefined
        ? ''
        : `${rounds.rounds} of ${rounds.epochs * rounds.epochImages} images, ${facts.unlabelled} of them labelled by a teacher; ${rounds.judgedFolds === 0 ? 'no time to prove it' : `the first is judged on ${rounds.judgedFolds} folds`}`,
      short,
    );
    if (rounds === undefined && !isFirst) addTuned();
  } else {
    const alone = scratchLength(time(), facts, guessedRate(site, 'scratch', base, answer));
    const epochs = alone === undefined ? 'the shortest training there is' : `${alone.epochs} epochs`;
    add('supervised', alone ?? { seconds: OVERHEAD }, `${epochs} from random weights on the labelled images`, '');
    if (spreads(facts) !== 'not') {
      const isSure = spreads(facts) === 'surely';
      const spread = spreadLength(time(), { ...facts, isSure }, guessedRate(site, 'spread', base, answer));
      // Before a machine's first training, what answers take is a poor guide to it.
      const isGuessed = site.times.secondsOf('spread', networkKey(base)) === undefined;
      const images = spread === undefined ? 0 : spread.rounds * spread.epochs * spread.epochImages;
      add(
        'spread',
        spread,
        `labels that spread among images alike${isSure ? '' : ', unless labels alone teach more'}, and a student of ${images} images in ${spread?.rounds} rounds`,
        isGuessed ? 'unless it proves faster than it looks before it was ever timed here' : short,
      );
    } else {
      const steps = fixmatchLength(time(), facts, guessedRate(site, 'fixmatch', base, FIXMATCH_COST * answer));
      add('fixmatch', steps, `${steps?.steps} steps with ${facts.unlabelled} unlabelled images`, short);
    }
  }
  stages.push({ stage: 'finish', seconds: finishing, what: `score, proof of the exported file, report` });
  return stages;
}

/** What a labelled image of FixMatch costs, in images of training: itself, and 7 unlabelled in two views, of which one has no gradient. */
const FIXMATCH_COST = 10;

/** As a person reads it. */
export function describeOutline(stages: readonly PlannedStage[], budget: number): string {
  const lines = stages.map(
    ({ stage, seconds, what }) => `  ${stage.padEnd(11)} ${inWords(seconds).padStart(6)}  ${what}`,
  );
  const total = stages.reduce((sum, { seconds }) => sum + seconds, 0);
  return [`Plan within ${inWords(budget)}, about ${inWords(total)}:`, ...lines].join('\n');
}

function inWords(seconds: number): string {
  if (seconds === 0) return '-';
  return seconds < 90 ? `${Math.ceil(seconds)} s` : `${(seconds / 60).toFixed(1)} m`;
}
