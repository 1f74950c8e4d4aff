import type { Agreement } from '../distillation/agreement.ts';
import type { HeldOutPredictions } from './held-out-predictions.ts';
import type { Network } from '../networks/network.ts';
import type { TrainingData } from '../prepare-data.ts';
import type { ResolvedTrainOptions } from '../train-options.ts';

/** Where a network came from, for the report. */
export interface NetworkSource {
  readonly name: string;
  readonly source: string;
  readonly sha256?: string;
  readonly preprocessing: string;
}

/** How a network was taught by others, in words, and how far it says what they say. */
export interface TaughtBy {
  readonly lines: readonly string[];
  /** Absent where the teachers' classes are others than the student's. */
  readonly agreement?: Agreement & { readonly comparedOn: string };
}

/** What a finished training hands over to be calibrated, scored, exported and reported. */
export interface FinishRequest {
  readonly network: Network;
  /** Predictions on labelled images that the network was not trained on. */
  readonly calibration: HeldOutPredictions | undefined;
  readonly data: TrainingData;
  readonly options: ResolvedTrainOptions;
  readonly method: string;
  readonly source: NetworkSource;
  readonly taughtBy?: TaughtBy;
  /** Of the accuracy on new images, from the labelled images alone. */
  readonly estimate?: {
    readonly accuracy: number;
    readonly interval: readonly [low: number, high: number];
    readonly found: string;
  };
  /** `performance.now()` at the start. */
  readonly started: number;
}
