import { InputError } from '../../core/errors.ts';
import { describeDataset } from '../../datasets/describe.ts';
import type { Dataset, Sample } from '../../datasets/dataset.ts';
import { findDuplicates } from '../../datasets/duplicates.ts';
import { withoutCopies } from '../../datasets/protocol.ts';
import { readDataset } from '../../datasets/read.ts';
import { resolveDuplicates } from '../../datasets/resolve-duplicates.ts';
import { holdOutUnlabelled } from '../distillation/arrange-unlabelled.ts';
import type { TrainControl } from '../train-control.ts';
import { LEAST_BATCH, type ResolvedPretrainOptions } from './pretrain-options.ts';

export interface PretrainingData {
  readonly dataset: Dataset;
  /** Trained on, whatever their labels: all but those of val and test, unlabelled copies of these, and what is held out. */
  readonly samples: readonly Sample[];
  /** Student and teacher are compared on these; empty without a teacher. No copy of one is trained on. */
  readonly held: readonly Sample[];
}

/** @throws InputError as `readDataset`, and for too few images */
export async function readPretrainingData(
  { data, dataLayout, followLinks, maxPixels, seed, teacher }: ResolvedPretrainOptions,
  { signal, onProgress }: TrainControl,
): Promise<PretrainingData> {
  const reading = { maxPixels: maxPixels * 1e6, ...(signal && { signal }) };
  const read = await readDataset(data, { layout: dataLayout, followLinks, labelsOptional: true, ...reading });
  onProgress?.({ type: 'note', message: describeDataset(read) });
  const isTrained = ({ split }: Sample): boolean => split === 'train' || split === 'unlabeled';
  const candidates = read.samples.filter(isTrained);
  const held = new Set(
    teacher === undefined || candidates.length < 2
      ? []
      : holdOutUnlabelled(candidates, [], seed).held.map(({ id }) => id),
  );
  // Copies on one side change nothing.
  const isSeen = (sample: Sample): boolean => isTrained(sample) && !held.has(sample.id);
  const matters = (a: Sample, b: Sample): boolean => isSeen(a) !== isSeen(b);
  const duplicates = await findDuplicates(read.samples, { ...reading, matters });
  const { dataset } = resolveDuplicates(read, duplicates);
  const left = dataset.samples.filter(isTrained);
  const compared = left.filter(({ id }) => held.has(id));
  const samples = withoutCopies(left, compared, duplicates.groups).filter(isSeen);
  if (samples.length < LEAST_BATCH)
    throw new InputError(
      `Pretraining needs at least ${LEAST_BATCH} images to a batch; ${data} has ${samples.length} to train on.`,
    );
  return { dataset, samples, held: compared };
}
