import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { CropCache } from '../batches/crop-cache.ts';
import { EvaluationCrops } from '../batches/evaluation-crops.ts';
import { ImagePool } from '../batches/image-pool.ts';
import { InputError } from '../core/errors.ts';
import type { VariantMeasurement } from '../export/measure.ts';
import { outlierPartsOf } from '../export/deployable.ts';
import { fromMetadata, type Variant } from '../models/description.ts';
import { extract } from '../onnx/compose.ts';
import { loadModel } from '../onnx/read.ts';
import { Engine } from '../runtime/engine.ts';
import { EventLog } from '../train/events.ts';
import { readConfig } from '../train/run-folder.ts';
import { exportVariants } from './results/export-variants.ts';
import { prepareData } from './prepare-data.ts';
import type { TrainControl } from './train-control.ts';
import { resolveTrainOptions } from './train-options.ts';
import { writeModelFile } from './results/write-model-file.ts';

export interface ExportOptions extends TrainControl {
  /** `float32` is the run's own model again; `bare` takes the network's input and returns logits. */
  readonly variant: Variant;
  /** Default: beside the run's model, `model.int8.onnx`. */
  readonly out?: string;
  readonly device?: string;
  readonly threads?: number;
}

export interface ExportResult {
  readonly file: string;
  readonly variant: Variant;
  /** The float32 model first, to compare with; on the run's score images. */
  readonly measured: readonly VariantMeasurement[];
}

/**
 * Writes another form of a finished run's model, and measures it beside the float32 one on the images that the run was
 * scored on (which is recorded in the run as a further opening).
 * @throws InputError where there is no finished run, or its data changed.
 */
export async function exportRun(run: string, options: ExportOptions): Promise<ExportResult> {
  const { signal, variant } = options;
  const model = join(run, 'model.onnx');
  const config = await readConfig(run);
  if (!existsSync(model))
    throw new InputError(`The run in ${run} has no model yet; finish it with: gleaner train --resume ${run}`);
  const trainOptions = resolveTrainOptions(config['options'], `config.json of ${run}`);
  const data = await prepareData(trainOptions, signal ? { signal } : {});
  if (data.dataset.fingerprint !== config.dataFingerprint)
    throw new InputError(
      `The data changed since the run in ${run} was scored, so another form of its model can't be compared with it.`,
    );
  const loaded = await loadModel(model);
  const description = fromMetadata(loaded.metadata, model);
  if (description === undefined)
    throw new InputError(`${model} does not describe itself; it was not written by gleaner train.`);
  const { preprocessing, classes, temperature, abstainThreshold, outlierThreshold, provenance } = description;
  if (String(classes) !== String(data.classes))
    throw new InputError(
      `The classes of the model in ${run} are its teacher's and not those of the data, by which another form would be compared: ask for it when distilling, with --variants.`,
    );
  const outliers = outlierPartsOf(loaded.graph);
  const wanted = ['logits', ...(outliers ? [outliers.embedding] : [])];
  const network = extract(loaded.graph, wanted, ['preprocess/normalised']);
  await using engine = await Engine.start({
    ...(options.device !== undefined && { device: options.device }),
    ...(options.threads !== undefined && { threads: options.threads }),
  });
  await using pool = await ImagePool.start(preprocessing, { maxPixels: trainOptions.maxPixels * 1e6 });
  const log = await EventLog.open(join(run, 'events.jsonl'));
  try {
    // Cross-validated images are training images: there is nothing to be opened.
    if (!data.crossValidated)
      log.append({
        type: 'test-opened',
        reason: `export of ${variant}`,
        scoredOn: data.scoredOn,
        images: data.score.length,
      });
  } finally {
    log.close();
  }
  const { made, measured } = await exportVariants(
    {
      engine,
      crops: new EvaluationCrops(pool, new CropCache(preprocessing)),
      parts: {
        graph: network,
        logits: 'logits',
        preprocessing,
        classes,
        temperature,
        provenance,
        ...(abstainThreshold !== undefined && { abstainThreshold }),
        ...(outliers && { outliers: { ...outliers, threshold: outlierThreshold } }),
      },
      calibrateOn: data.train,
      measureOn: data.score,
      seed: trainOptions.seed,
      signal,
    },
    [variant],
  );
  const file = resolve(options.out ?? join(run, variant === 'float32' ? 'model.onnx' : `model.${variant}.onnx`));
  const chosen = made.find((one) => one.variant === variant)!;
  await writeModelFile(file, chosen.file);
  return { file, variant, measured };
}
