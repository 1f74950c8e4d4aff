// One `gleaner train` or `distill` of a matrix: by the library, in this process, so that whoever ends it ends the training.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { distill, train } from '../../dist/index.js';

/** Stages in which the network of the result is trained; others are folds. */
const MAIN = new Set(['scratch', 'finetune']);

/**
 * Trains, and hands `use` the result while the run is still there.
 * @param options of `train`, without `out`
 * @param use gives further fields: of what the job returned: (result) => object
 * @returns { accuracy, n, epochs, images and trainingSeconds of the main stage, validation (accuracy on held-out training
 *   images after the last epoch, where there are any) } and what `use` adds
 */
export function trainCell(options, place, use = () => ({})) {
  return cell(train, options, place, use);
}

/** The same of `distill`, with `agreement`. */
export function distillCell(options, place) {
  return cell(distill, options, place, ({ agreement }) => ({ agreement }));
}

async function cell(job, options, { folder, signal }, use) {
  const out = join(folder, 'run');
  rmSync(out, { recursive: true, force: true });
  let [trainingSeconds, perEpoch, epochs] = [0, 0, 0];
  let validation;
  const onProgress = (event) => {
    if (!MAIN.has(event.stage)) return;
    if (event.type === 'stage' && event.state === 'end') trainingSeconds = event.seconds;
    if (event.type === 'step' && event.unit === 'images') perEpoch = event.total;
    if (event.type === 'epoch') [epochs, validation] = [event.epoch, event.accuracy];
  };
  try {
    const result = await job({ ...options, out }, { signal, onProgress });
    const { accuracy, n } = result;
    return {
      accuracy,
      n,
      epochs,
      images: epochs * perEpoch,
      ...(validation !== undefined && { validation }),
      trainingSeconds: Math.round(trainingSeconds * 10) / 10,
      ...(await use(result)),
    };
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}
