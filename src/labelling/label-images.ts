export interface LabellingOptions {
  readonly labels: 'hard' | 'soft' | 'sharpened';
  readonly temperature?: number;
  readonly threshold: ThresholdOptions;
  readonly balance?: 'none' | 'cap' | 'resample';
  readonly adjust?: 'none' | 'align' | 'logit' | 'crest';
}

export type ThresholdOptions =
  | { readonly kind: 'none' }
  | { readonly kind: 'fixed'; readonly value: number }
  | { readonly kind: 'per-class'; readonly values: number[] }
  | { readonly kind: 'free' }
  | { readonly kind: 'soft' }
  | { readonly kind: 'flex'; readonly value: number }
  | { readonly kind: 'rank'; readonly share: number }
  | { readonly kind: 'expected-error'; readonly right: number };

export interface LabellingInput {
  readonly classes: readonly string[];
  readonly probabilities: Float32Array;
  readonly held?: { readonly probabilities: Float32Array; readonly labels: readonly number[] };
  readonly agreement?: Float32Array;
}

export interface MachineLabel {
  readonly label: number;
  readonly probability: number;
  readonly chance: number | undefined;
  readonly used: boolean;
  readonly weight: number;
  readonly target: Float32Array;
  readonly reason: string;
}

/** A fixed threshold. */
export function labelImages(
  { classes, probabilities }: LabellingInput,
  { threshold }: LabellingOptions,
): { labels: MachineLabel[]; prior: number[] } {
  const k = classes.length;
  const least = threshold.kind === 'fixed' ? threshold.value : 0;
  const prior = classes.map(() => 0);
  const n = probabilities.length / k;
  const labels = Array.from({ length: n }, (_, i): MachineLabel => {
    const target = probabilities.slice(i * k, (i + 1) * k);
    const probability = Math.max(...target);
    const used = probability >= least;
    target.forEach((p, j) => (prior[j]! += p / n));
    const label = target.indexOf(probability);
    return {
      label,
      probability,
      chance: undefined,
      used,
      weight: used ? 1 : 0,
      target,
      reason: used ? '' : `below ${least}`,
    };
  });
  return { labels, prior };
}
