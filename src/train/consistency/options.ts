/**
 * Consistency training as plain data: a network labels what it sees of an image varied weakly, and learns that label on
 * the image varied strongly. Parts are exchangeable; `methods.ts` has the papers' compositions.
 */
export interface ConsistencyParts {
  /** Who labels: the network that is trained, or the moving average of its weights (Mean Teacher). */
  readonly labeller: 'student' | 'average';
  /** Logits less so much of the logarithm of the mean prediction (Wang et al. 2022, arXiv:2201.01490, equation 3); 0: as they are. */
  readonly debias: number;
  readonly target: TargetOptions;
  readonly threshold: ThresholdOptions;
  readonly alignment: AlignmentOptions | undefined;
  readonly loss: 'cross-entropy' | 'kullback-leibler' | 'squared-error';
  /** What the loss of unlabelled images counts for beside that of labelled ones, at least 0. */
  readonly weight: number;
  /** How the weight rises from 0. */
  readonly ramp: RampOptions | undefined;
  /** What FreeMatch's fairness loss counts for; 0: there is none. */
  readonly fairness: number;
  /** Weakly varied views of each unlabelled image, over which its label is the mean. */
  readonly weakViews: number;
  /** MixMatch: what is trained on are the labelled images and the weak views themselves, mixed; the parameter of Beta. */
  readonly mixing: number | undefined;
  /** Training signal annealing of the labelled loss (UDA). */
  readonly annealing: 'none' | 'logarithmic' | 'linear' | 'exponential';
}

/** What is learnt of a label: its class, the distribution, or the distribution to the power 1/T. */
export type TargetOptions =
  | { readonly kind: 'hard' }
  | { readonly kind: 'soft' }
  | { readonly kind: 'sharpened'; readonly temperature: number };

/** What a label counts for, by its confidence. `value` is 0..1. */
export type ThresholdOptions =
  | { readonly kind: 'none' }
  | { readonly kind: 'fixed'; readonly value: number }
  /** Of `value`, a share for each class by how many images of it are labelled so far (FlexMatch). */
  | { readonly kind: 'curriculum'; readonly value: number }
  /** The mean confidence, less for classes that are predicted less (FreeMatch). */
  | { readonly kind: 'self-adaptive' }
  /** A weight that falls as a Gaussian below the mean confidence (SoftMatch). */
  | { readonly kind: 'gaussian'; readonly deviations: number }
  /** `value` of the mean confidence on labelled images (AdaMatch). */
  | { readonly kind: 'relative'; readonly value: number };

export interface AlignmentOptions {
  /** Which classes there should be: all alike, as the network sees them on labelled images, or as told. */
  readonly to: 'uniform' | 'labelled' | readonly number[];
  /** Whether labels are aligned, or only the confidence that weighs them. */
  readonly of: 'labels' | 'confidence';
}

export interface RampOptions {
  readonly kind: 'linear' | 'cosine' | 'exponential';
  /** Share of the training until the weight is whole, over 0 and at most 1. */
  readonly until: number;
}

/** What a step minimises: the parts, and the sizes that its graph needs. */
export interface ConsistencyOptions extends ConsistencyParts {
  readonly name: 'consistency';
  readonly classes: number;
  /** Unlabelled images to each labelled one. */
  readonly ratio: number;
  /** Views of each unlabelled image that are trained on: strong ones or, where images are mixed, the weak ones. */
  readonly strongViews: number;
  /** All unlabelled images; what a curriculum remembers of each. */
  readonly images: number;
  /** Labelled samples of all steps together. */
  readonly samples: number;
  /** Half-life of every moving average, in labelled samples. */
  readonly halfLife: number;
  /** Of the labels of labelled images. */
  readonly smoothing: number;
}

/** The target by which a batch brings the numbers of its unlabelled images, each of 0 to `images` - 1: [N, ratio]. */
export const IMAGE_NUMBERS = 'image_numbers';

/** Where images are mixed: of each row that is trained on, the number of its partner among such rows of the step, and its own share. */
export const MIXED = { partner: 'mixed_partner', share: 'mixed_share' } as const;

/** Rows that a sample has in a batch: the labelled image, then the weak views of the unlabelled ones, then those trained on. */
export function rowsOf(options: Pick<ConsistencyOptions, 'ratio' | 'weakViews' | 'strongViews'>): number {
  return trainedRows(options) + options.ratio * options.weakViews;
}

/** The labelled image, and the views of unlabelled ones that are trained on. */
export function trainedRows({ ratio, strongViews }: Pick<ConsistencyOptions, 'ratio' | 'strongViews'>): number {
  return 1 + ratio * strongViews;
}
