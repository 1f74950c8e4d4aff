import { describe, expect, it } from 'vitest';
import type { Progress } from '../../../src/core/progress.ts';
import { ConsistencyWatch } from '../../../src/recipes/consistency/consistency-watch.ts';
import type { NewEvent } from '../../../src/train/events.ts';

const STEPS = 1000;
/** Four classes alike. */
const LABELS = Array.from({ length: 40 }, (_, i) => i % 4);

function watched(at: (step: number) => { used: number; classesUsed: number }): {
  events: NewEvent[];
  warnings: string[];
} {
  const events: NewEvent[] = [];
  const warnings: string[] = [];
  const onProgress = (event: Progress): void => {
    if (event.type === 'warning') warnings.push(event.message);
  };
  const watch = new ConsistencyWatch(
    { record: (event) => events.push(event), onProgress },
    { stage: 'scratch', steps: STEPS, labels: LABELS },
  );
  for (let step = 1; step <= STEPS; step++)
    watch.take(step, { metrics: { ...at(step), confidence: 0.5, threshold: 0.95, labelledLoss: step } });
  return { events, warnings };
}

const alarms = (events: readonly NewEvent[]): unknown[] =>
  events.filter(({ type }) => type === 'consistency-alarm').map(({ reason, step }) => [reason, step]);

describe('what becomes of unlabelled images', () => {
  it('is recorded 200 times, in means', () => {
    const { events, warnings } = watched(() => ({ used: 0.6, classesUsed: 3.9 }));
    expect(events).toHaveLength(200);
    expect(events[1]).toMatchObject({ type: 'consistency', stage: 'scratch', step: 10, used: 0.6, labelledLoss: 8 });
    expect(warnings).toEqual([]);
  });

  it('warns once where hardly any label is used for long, not at the beginning', () => {
    expect(alarms(watched((step) => ({ used: step < 100 ? 0 : 0.5, classesUsed: 4 })).events)).toEqual([]);
    const { events, warnings } = watched(() => ({ used: 0.001, classesUsed: 1 }));
    // An unused label is of no class: that is no second reason.
    expect(alarms(events)).toEqual([['few-labels', 155]]);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('threshold of 0.95 (mean confidence 0.50)');
  });

  it('warns once where the labels used shrink to few classes and stay there', () => {
    expect(alarms(watched((step) => ({ used: 0.5, classesUsed: step % 100 < 50 ? 1.2 : 3 })).events)).toEqual([]);
    const { events, warnings } = watched((step) => ({ used: 0.5, classesUsed: step > 500 ? 1.5 : 4 }));
    expect(alarms(events)).toEqual([['collapse', 655]]);
    expect(warnings[0]).toContain('of about 1.5 classes, the labelled images of 4.0');
  });
});
