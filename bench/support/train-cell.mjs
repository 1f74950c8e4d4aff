// One `gleaner train` or `distill` of a matrix: by the library, in this process, so that whoever ends it ends the training.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { train } from '../../dist/index.js';

/** Whether a stage trains a network that may be the result; others are folds. */
const isMain = (stage) => stage === 'scratch' || stage === 'finetune' || /^(round-\d+|final)-student$/.test(stage);

/**
 * Trains, and hands `use` the result while the run is still there.
 * @param options of `train`, without `out`
 * @param use gives further fields: of what the job returned: (result) => object
 * @param job `train`, or a function that is called as it is
 * @returns { accuracy, n, epochs, images and trainingSeconds of the main stage, validation (accuracy on held-out training
 *   images after the last epoch, where there are any) } and what `use` adds
 */
export async function trainCell(options, { folder, signal }, use = () => ({}), job = train) {
  const out = join(folder, 'run');
  rmSync(out, { recursive: true, force: true });
  let [trainingSeconds, perEpoch, epochs, images] = [0, 0, 0, 0];
  let validation;
  const onProgress = (event) => {
    if (!isMain(event.stage)) return;
    if (event.type === 'stage' && event.state === 'end') trainingSeconds += event.seconds;
    if (event.type === 'step' && event.unit === 'images') perEpoch = event.total;
    if (event.type === 'epoch') {
      [epochs, validation] = [event.epoch, event.accuracy];
      images += perEpoch;
    }
  };
  try {
    const result = await job({ ...options, out }, { signal, onProgress });
    const { accuracy, n } = result;
    return {
      accuracy,
      n,
      epochs,
      images,
      ...(validation !== undefined && { validation }),
      trainingSeconds: Math.round(trainingSeconds * 10) / 10,
      ...(await use(result)),
    };
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}
