import { InputError, suggestion } from '../core/errors.ts';
import type { OnProgress } from '../core/progress.ts';
import type { Sample } from '../datasets/dataset.ts';
import { readDataset } from '../datasets/read.ts';
import type { FolderLayout } from '../datasets/read-folder.ts';
import { evaluatePredictions, type Evaluation } from '../evaluate/evaluation.ts';
import { Predictor } from '../export/predict.ts';

export interface EvaluateOptions {
  /** Part that is scored; default `test`, and all labelled images where there is none. */
  readonly split?: 'train' | 'val' | 'test' | 'all';
  readonly layout?: FolderLayout;
  readonly device?: string;
  readonly threads?: number;
  /** Pixels of an image, at most. */
  readonly maxPixels?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
}

export interface ModelEvaluation extends Evaluation {
  /** What was scored: `test`, `val`, `train` or `all`. */
  readonly split: string;
  /** Share of the images that the model takes for none of its classes, 0..1; absent where it has no threshold for that. */
  readonly setAside?: number;
  readonly quarantined: readonly { readonly file: string; readonly reason: string }[];
}

/**
 * Scores a deployed model on labelled images, through the file itself. Classes are matched by name.
 * @throws InputError for a class that the model does not know, or a part without images; ModelError for a file that
 *   is no deployed model.
 * @example
 * const { accuracy, interval } = await evaluate('runs/001/model.onnx', 'photos');
 */
export async function evaluate(model: string, data: string, options: EvaluateOptions = {}): Promise<ModelEvaluation> {
  const { signal, onProgress } = options;
  const maxPixels = options.maxPixels === undefined ? {} : { maxPixels: options.maxPixels };
  await using predictor = await Predictor.open(model, {
    ...maxPixels,
    ...(options.device !== undefined && { device: options.device }),
    ...(options.threads !== undefined && { threads: options.threads }),
  });
  const dataset = await readDataset(data, {
    ...maxPixels,
    ...(options.layout && { layout: options.layout }),
    ...(signal && { signal }),
  });
  const { classes } = predictor;
  const unknown = dataset.classes.filter((name) => !classes.includes(name));
  if (unknown.length > 0)
    throw new InputError(
      `${model} does not know the ${unknown.length === 1 ? 'class' : 'classes'} ${unknown.map((name) => `"${name}"${suggestion(name, classes)}`).join(', ')} of ${data}. It knows: ${classes.join(', ')}.`,
    );
  const labelled = dataset.samples.filter((sample): sample is Sample & { label: number } => sample.label !== undefined);
  const split = options.split ?? (labelled.some((sample) => sample.split === 'test') ? 'test' : 'all');
  const samples = split === 'all' ? labelled : labelled.filter((sample) => sample.split === split);
  if (samples.length === 0) throw new InputError(`${data} has no labelled image in its part "${split}".`);

  const logits: number[] = [];
  const kept: typeof samples = [];
  const quarantined = [...dataset.quarantined];
  let done = 0;
  let outliers = 0;
  const files = samples.map(({ file }) => file);
  for await (const answer of predictor.predictAll(files, signal ? { signal } : {})) {
    const sample = samples[done++]!;
    if ('error' in answer) quarantined.push({ file: sample.id, reason: answer.error });
    else {
      kept.push(sample);
      if (answer.outlier) outliers++;
      // The file's probabilities are what is scored; their logarithms are logits that softmax gives back.
      for (const name of classes) logits.push(Math.log(Math.max(answer.probabilities[name]!, 1e-38)));
    }
    onProgress?.({ type: 'step', stage: 'evaluate', done, total: samples.length, unit: 'images' });
  }
  if (kept.length === 0) throw new InputError(`No image of ${data} could be read.`);
  const evaluation = evaluatePredictions({
    classes,
    logits: Float64Array.from(logits),
    labels: kept.map(({ label }) => classes.indexOf(dataset.classes[label]!)),
    ids: kept.map(({ id }) => id),
  });
  const setAside = predictor.outlierThreshold === undefined ? {} : { setAside: outliers / kept.length };
  return { ...evaluation, split, ...setAside, quarantined };
}
