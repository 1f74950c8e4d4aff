import { sizeOf } from '../../core/tensor.ts';
import type { TrainingItem } from '../../batches/training-batches.ts';
import { ValueBatches } from '../../batches/value-batches.ts';
import { memoryReport } from '../../runtime/memory.ts';
import { splitFrozen } from '../../train/frozen-split.ts';
import type { Phase } from '../../train/loop.ts';
import type { Workshop } from '../workshop/workshop.ts';
import { outputsOf } from '../results/outputs.ts';
import type { ImagesBySize } from './smaller-images.ts';

/** Share of the machine's memory that activations may fill. Not of what is free: a resumed run must decide the same. */
const MEMORY_SHARE = 1 / 8;

/**
 * Phases that run their frozen prefix once an image, when they begin, and then train the rest on what it gave;
 * a phase stays as it is where nothing is frozen or the activations of all images would not fit. For images that
 * no augmentation changes.
 */
export function onFrozenActivations(
  { engine, onProgress, signal, track }: Workshop,
  images: ImagesBySize,
  phases: readonly Phase[],
  request: {
    readonly items: readonly TrainingItem[];
    readonly batchSize: number;
    readonly seed: number;
    readonly stage: string;
  },
): Phase[] {
  const { totalBytes, limitBytes = totalBytes } = memoryReport();
  return phases.map((phase): Phase => {
    const split = splitFrozen(phase.step);
    if (split === undefined) return phase;
    const bytes = 4 * sizeOf(split.shape) * request.items.length;
    if (bytes > MEMORY_SHARE * Math.min(totalBytes, limitBytes)) return phase;
    return {
      fromEpoch: phase.fromEpoch,
      step: split.step,
      async openSource() {
        onProgress?.({
          type: 'note',
          message: `From epoch ${phase.fromEpoch}, the first ${split.nodes} nodes are frozen: they run once an image, and what they give is kept (${Math.ceil(bytes / 1e6)} MB).`,
        });
        const fixedBatch = phase.step.microBatch;
        const stage = `${request.stage}: frozen layers`;
        const { crops } = await images.of(phase.step);
        const values = await outputsOf(engine, split.prefix, crops, request.items, {
          stage,
          fixedBatch,
          onProgress,
          signal,
          track,
        });
        return new ValueBatches({ ...request, values });
      },
    };
  });
}
