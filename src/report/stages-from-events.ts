import type { EpochSummary, StageSummary, UnlabeledSummary } from './run-summary.ts';

/** A line of a run's `events.jsonl`, parsed. */
type Event = { readonly type: string; readonly [key: string]: unknown };

/**
 * The curves of a run from its events, stages in the order they first occur. An epoch that was run again
 * after an interruption counts once, as it was last; lines that are not understood are passed over.
 */
export function stagesFromEvents(events: Iterable<Event>): StageSummary[] {
  const stages = new Map<
    string,
    { seconds: number; epochs: Map<number, EpochSummary>; unlabeled: Map<number, UnlabeledSummary> }
  >();
  for (const event of events) {
    if (typeof event['stage'] !== 'string') continue;
    let stage = stages.get(event['stage']);
    if (stage === undefined)
      stages.set(event['stage'], (stage = { seconds: 0, epochs: new Map(), unlabeled: new Map() }));
    const epoch = event.type === 'epoch' ? epochOf(event) : undefined;
    if (epoch !== undefined) stage.epochs.set(epoch.epoch, epoch);
    const unlabeled = event.type === 'consistency' ? unlabeledOf(event) : undefined;
    if (unlabeled !== undefined) stage.unlabeled.set(unlabeled.step, unlabeled);
    if (event.type === 'stage' && event['state'] === 'end') stage.seconds += numberOf(event['seconds']) ?? 0;
  }
  return [...stages].map(([name, { seconds, epochs, unlabeled }]) => ({
    name,
    ...(seconds > 0 && { seconds }),
    epochs: [...epochs.values()].toSorted((a, b) => a.epoch - b.epoch),
    ...(unlabeled.size > 0 && { unlabeled: [...unlabeled.values()].toSorted((a, b) => a.step - b.step) }),
  }));
}

function epochOf(event: Event): EpochSummary | undefined {
  const [epoch, loss] = [numberOf(event['epoch']), numberOf(event['loss'])];
  if (epoch === undefined || loss === undefined) return undefined;
  const further = ['learningRate', 'imagesPerSecond', 'accuracy', 'validationLoss'] as const;
  return {
    epoch,
    loss,
    ...Object.fromEntries(
      further.map((key) => [key, numberOf(event[key])] as const).filter(([, value]) => value !== undefined),
    ),
  };
}

function unlabeledOf(event: Event): UnlabeledSummary | undefined {
  const keys = ['step', 'used', 'confidence', 'threshold', 'classesUsed'] as const;
  const values = keys.map((key) => [key, numberOf(event[key])] as const);
  if (values.some(([, value]) => value === undefined)) return undefined;
  return Object.fromEntries(values) as unknown as UnlabeledSummary;
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}
