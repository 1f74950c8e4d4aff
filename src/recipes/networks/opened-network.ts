import type { Sample } from '../../datasets/dataset.ts';
import type { Tensor } from '../../core/tensor.ts';
import type { Workshop } from '../workshop/workshop.ts';
import type { Network } from './network.ts';
import type { HeldOutPredictions } from '../results/held-out-predictions.ts';
import type { TrainingData } from '../prepare-data.ts';
import type { RunStage } from '../stages.ts';

/** What a method makes of the data. */
export interface Trained {
  readonly network: Network;
  /** On labelled images that the network was not trained on; undefined where there are none. */
  readonly calibration: HeldOutPredictions | undefined;
}

/** A network that is ready to be trained by its method. */
export interface OpenedNetwork {
  readonly preprocessing: Network['preprocessing'];
  readonly source: {
    readonly name: string;
    readonly source: string;
    readonly sha256?: string;
    readonly preprocessing: string;
  };
  /** Of the shapes that will be trained; for measuring. */
  untrained(): Network;
  /** What a backbone makes of images, [n, D]; absent from scratch. */
  features?(workshop: Workshop, samples: readonly Sample[]): Promise<Tensor>;
  /** What training on these images starts from: random weights, or the backbone with a head fitted to them. */
  begin(workshop: Workshop, samples: TrainingData['train'], folder: string): Promise<Network>;
  train(workshop: Workshop, stages: RunStage): Promise<Trained>;
}
