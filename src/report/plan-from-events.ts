import type { PlanStageSummary, PlanSummary } from './run-summary.ts';

/** A line of a run's `events.jsonl`, parsed. */
type Event = { readonly type: string; readonly [key: string]: unknown };

/** What became of a plan's stages, each as it was last told; undefined where the run is none of a plan. */
export function planFromEvents(events: readonly Event[]): PlanSummary | undefined {
  const begun = events.findLast(({ type }) => type === 'plan');
  if (begun === undefined) return undefined;
  const stages = new Map<string, PlanStageSummary>();
  for (const { type: _, time: _time, judgement: _judgement, ...told } of events.filter(
    ({ type }) => type === 'plan-stage',
  )) {
    const stage = told as unknown as PlanStageSummary;
    stages.set(stage.stage, stage);
  }
  for (const { type, stage, accuracy } of events) {
    const known = stages.get(String(stage));
    if (type === 'plan-score' && known !== undefined) stages.set(known.stage, { ...known, accuracy: Number(accuracy) });
  }
  const remarks = events.flatMap(({ type, message }) => (type === 'plan-remark' ? [String(message)] : []));
  return { budget: Number(begun['budget']), stages: [...stages.values()], remarks: [...new Set(remarks)] };
}
