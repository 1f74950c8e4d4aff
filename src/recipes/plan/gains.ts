/** Stages whose worth is judged. */
export type JudgedStage =
  | 'supervised'
  | 'finetune'
  | 'self-train'
  | 'further-round'
  | 'fixmatch'
  | 'spread'
  | 'distill';

/** What a stage has brought on other data: gain in accuracy, as a normal distribution. */
export interface Gain {
  readonly mean: number;
  readonly deviation: number;
  /** Over what, measured on what. */
  readonly source: string;
  /** How far the students of folds, which are trained for less long, stay behind the stage's own. */
  readonly shortfall?: { readonly mean: number; readonly deviation: number };
}

/**
 * What stages are expected to bring before anything is seen of the data at hand. The deviations are those between data sets, not
 * between seeds, and wider than what was measured on the few sets there are.
 */
export const GAINS: Readonly<Record<JudgedStage, Gain>> = {
  supervised: {
    mean: 0,
    deviation: 0.1,
    source: 'over a probe that is no better than chance: nothing is known before',
  },
  finetune: {
    mean: 0.01,
    deviation: 0.03,
    source: 'over the probe, clothing, 10 labels a class: 0 to 2 points',
  },
  'self-train': {
    mean: 0.055,
    deviation: 0.04,
    source:
      'over the probe, clothing, 10 labels a class: 4 to 5 points over the fine-tune, which is 0 to 2 over the probe',
  },
  'further-round': {
    mean: 0.005,
    deviation: 0.01,
    source: 'over the round before: no measurement, taken as small',
  },
  distill: {
    mean: -0.02,
    deviation: 0.03,
    source: 'a smaller network than its teacher: no measurement, taken as a small loss',
  },
  spread: {
    mean: 0.05,
    deviation: 0.04,
    source: 'over labels alone, MNIST, 100 labels, where labels spread well: 92.8 to 98.2 %',
  },
  fixmatch: {
    mean: 0.05,
    deviation: 0.06,
    source: 'over labels alone, MNIST, 100 labels: 92.5 to 97.0 %',
  },
};
