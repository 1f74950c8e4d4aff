import type { Tensor } from '../../core/tensor.ts';
import { describePreprocessing } from '../../models/preprocessing.ts';
import type { Workshop } from '../workshop/workshop.ts';
import { withNewHead, type Network } from './network.ts';
import { predictionsOf } from '../results/held-out-predictions.ts';
import type { TrainingData } from '../prepare-data.ts';
import type { TrainControl } from '../train-control.ts';
import type { ResolvedTrainOptions } from '../train-options.ts';
import { featureExtractor } from '../probe/backbone-features.ts';
import { builtInNetwork } from './built-in-network.ts';
import { givenBackbone } from './given-backbone.ts';
import type { Method } from '../method.ts';
import type { OpenedNetwork, Trained } from './opened-network.ts';
import { heldOutlierScores } from '../results/outlier-scoring.ts';
import { featuresOf } from '../probe/features.ts';
import { probeStage, type ProbeOutcome } from '../probe/probe-stage.ts';
import { describeSizes } from '../training/smaller-images.ts';
import { trainNetwork } from '../training/train-network.ts';
import { describeNoise } from '../training/training-noise.ts';
import { planTraining } from '../training/training-plan.ts';

/**
 * How much more strongly than by itself the head is regularised that fine-tuning starts from. A head fitted to
 * the end leaves no loss on few images, and so nothing for the body to learn from. What fine-tuning then gains over
 * the head alone is measured by `bench/clothing.mjs`.
 */
const SOFTER_START = 100;

/**
 * Opens the backbone, or builds the network, that the options ask for, and checks that it can be trained as they say.
 * @throws InputError, ModelError as `openBackbone` and `buildModel`
 */
export async function openNetwork(
  options: ResolvedTrainOptions,
  method: Method,
  data: TrainingData,
  control: TrainControl,
): Promise<OpenedNetwork> {
  const note = (message: string): void => control.onProgress?.({ type: 'note', message });
  const opened = await open(options, method, data, control);
  if (method === 'probe') return opened;
  const untrained = opened.untrained();
  const { epochs } = planTraining(options, method, data.train.length);
  for (const line of [describeNoise(untrained, options), describeSizes(untrained, epochs, options)])
    if (line !== undefined) note(line);
  return opened;
}

async function open(
  options: ResolvedTrainOptions,
  method: Method,
  data: TrainingData,
  control: TrainControl,
): Promise<OpenedNetwork> {
  if (method === 'scratch') {
    const built = { classes: data.classes.length, dropout: options.dropout ?? 0.2 };
    const { name, model, preprocessing } = builtInNetwork(options, data, built, control.onProgress);
    const network: Network = { graph: model.graph, input: 'input', logits: 'logits', preprocessing, head: [] };
    return {
      preprocessing,
      source: { name, source: 'built in, random weights', preprocessing: describePreprocessing(preprocessing) },
      untrained: () => network,
      begin: async () => network,
      train: (workshop, stages) => trainNetwork(workshop, stages, options, 'scratch', data, async () => network),
    };
  }
  const backbone = await givenBackbone(options.backbone!, options, control);
  const { preprocessing, embedding } = backbone;
  const { graph } = backbone.model;
  const headed = (head: { weight: Tensor; bias: Tensor }): Network =>
    withNewHead(graph, embedding, preprocessing, data.classes.length, head, options.dropout ?? 0);
  const extractor = featureExtractor(backbone);
  const probe = (
    workshop: Workshop,
    samples: TrainingData['train'],
    folder: string,
    soften?: number,
  ): Promise<ProbeOutcome> => probeStage(workshop, options, data, samples, folder, extractor, soften);
  const begin: OpenedNetwork['begin'] = async (workshop, samples, folder) =>
    headed(await probe(workshop, samples, folder, SOFTER_START));
  return {
    preprocessing,
    source: {
      name: graph.name,
      source: backbone.source,
      sha256: backbone.sha256,
      preprocessing: `${describePreprocessing(preprocessing)} (${backbone.preprocessingSource})`,
    },
    untrained: () => withNewHead(graph, embedding, preprocessing, data.classes.length, 'zeros', options.dropout ?? 0),
    features: (workshop, samples) => featuresOf(workshop, extractor, samples),
    begin,
    async train(workshop, stages) {
      if (method === 'finetune')
        return trainNetwork(workshop, stages, options, 'finetune', data, (samples, folder) =>
          begin(workshop, samples, folder),
        );
      return stages.run('probe', async (folder): Promise<Trained> => {
        const outcome = await probe(workshop, data.train, folder);
        const network = headed(outcome);
        const calibration =
          data.validation.length > 0
            ? {
                ...(await predictionsOf(workshop, network, data, data.validation, 'validation images')),
                outliers: await heldOutlierScores(workshop, network, data, data.validation, options.seed),
              }
            : outcome.outOfFold && {
                classes: data.classes,
                logits: outcome.outOfFold,
                outliers: outcome.outliers,
                labels: data.train.map(({ label }) => label),
                ids: data.train.map(({ id }) => id),
                foundOn: `out-of-fold predictions of ${data.train.length} labelled images`,
              };
        return { network, calibration };
      });
    },
  };
}
