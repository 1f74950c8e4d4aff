import type { ThresholdOptions } from '../../labelling/options.ts';
import { labelImages } from '../../labelling/label-images.ts';
import { outlierThreshold } from '../../evaluate/outliers.ts';
import { softmaxRows } from '../../evaluate/predictions.ts';
import type { ConsistencyParts } from '../../train/consistency/options.ts';
import type { RunFolder } from '../../train/run-folder.ts';
import type { Trained } from '../networks/opened-network.ts';
import type { TrainingData } from '../prepare-data.ts';
import { answerOf, networkLabeller } from '../self-training/labeller.ts';
import type { ResolvedTrainOptions } from '../train-options.ts';
import type { Workshop } from '../workshop/workshop.ts';
import { writeEvidence } from './evidence.ts';
import { findNeighbours } from './find-neighbours.ts';

/**
 * What a network that learnt from unlabelled images says of each of them at the end, written as the rounds of self-training are:
 * in training labels change from step to step, and are kept nowhere. A label counts as used where the method's threshold would
 * let it through now.
 * @param model its name
 */
export async function labelOnce(
  run: RunFolder,
  workshop: Workshop,
  { network, calibration }: Trained,
  data: TrainingData,
  options: ResolvedTrainOptions,
  { threshold }: Pick<ConsistencyParts, 'threshold'>,
  model: string,
): Promise<void> {
  const { classes, train, unlabeled } = data;
  const maxPixels = options.maxPixels * 1e6;
  const views = { count: 1, mirrored: false, seed: options.seed };
  const labeller = networkLabeller(workshop, network, views, maxPixels, { train, unlabeled });
  const { probabilities, agreement, outliers } = await answerOf(labeller, unlabeled, classes.length);
  const limit = calibration?.outliers && outlierThreshold(calibration.outliers);
  const { labels } = labelImages(
    {
      classes,
      probabilities,
      agreement,
      ...(calibration && {
        held: {
          probabilities: softmaxRows(calibration.logits as Float32Array, classes.length),
          labels: [...calibration.labels],
        },
      }),
      ...(limit !== undefined && { outliers: { scores: outliers!, threshold: limit } }),
    },
    {
      labels: 'hard',
      threshold: await atTheEnd(
        threshold,
        async () => (await answerOf(labeller, train, classes.length)).probabilities,
        classes.length,
      ),
    },
  );
  const neighbours = await findNeighbours(workshop, labeller.embed, data);
  const images = { classes, labelled: train, unlabelled: unlabeled, neighbours };
  await writeEvidence(run, images, [{ name: 'final', model, labels, agreement }]);
}

/** The rule of a training's threshold, on all images at once. @param onTrain probabilities of the labelled images [n, K] */
async function atTheEnd(
  threshold: ConsistencyParts['threshold'],
  onTrain: () => Promise<Float32Array>,
  classes: number,
): Promise<ThresholdOptions> {
  switch (threshold.kind) {
    case 'none':
    case 'fixed':
      return threshold;
    case 'curriculum':
      return { kind: 'flex', value: threshold.value };
    case 'self-adaptive':
      return { kind: 'free' };
    case 'gaussian':
      return { kind: 'soft' };
    case 'relative': {
      const rows = await onTrain();
      let sum = 0;
      for (let from = 0; from < rows.length; from += classes) sum += Math.max(...rows.subarray(from, from + classes));
      return { kind: 'fixed', value: (threshold.value * sum * classes) / rows.length };
    }
  }
}
