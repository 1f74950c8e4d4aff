import type { Workshop } from './workshop.ts';

/** For one of several trainings of a run: neither the curves nor the passes of several are one. */
export function underName(workshop: Workshop, name: string): Workshop {
  const { pace } = workshop;
  return {
    ...workshop,
    choices: {
      target: workshop.choices.target,
      microBatch: (stage, decide) => workshop.choices.microBatch(`${name}-${stage}`, decide),
    },
    ...(pace && { pace: (training) => pace({ ...training, stage: `${name}-${training.stage}` }) }),
    record: (event) =>
      workshop.record(typeof event['stage'] === 'string' ? { ...event, stage: `${name}-${event['stage']}` } : event),
  };
}
