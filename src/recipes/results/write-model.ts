import { packageVersion } from '../../core/package-version.ts';
import { timed, timedSync } from '../../core/profile.ts';
import type { Sample } from '../../datasets/dataset.ts';
import type { AbstainThreshold } from '../../evaluate/abstain.ts';
import { deployableModel, type DeployableParts, type OutlierParts } from '../../export/deployable.ts';
import type { VariantMeasurement } from '../../export/measure.ts';
import { proveParity, type ParityReport } from '../../export/parity.ts';
import { decodeImage } from '../../images/decode.ts';
import type { RunFolder } from '../../train/run-folder.ts';
import { exportVariants } from './export-variants.ts';
import type { FinishRequest } from './finish-request.ts';
import type { Workshop } from '../workshop/workshop.ts';
import { writeModelFile } from './write-model-file.ts';

/** Images on which parity with evaluation is proven at export. */
const PARITY_IMAGES = 6;

/** What was found on images that the network was not trained on. */
export interface Decided {
  readonly temperature: number;
  readonly abstain: AbstainThreshold | undefined;
  readonly outliers?: OutlierParts;
}

/**
 * Writes the deployable model and its variants into a run, once it is proven to give what evaluation gave.
 * @param images that parity is proven and forms are measured on; accuracy where all have labels
 */
export async function writeModel(
  run: RunFolder,
  workshop: Workshop,
  { network, data, options, method }: Pick<FinishRequest, 'network' | 'data' | 'options' | 'method'>,
  { temperature, abstain, outliers }: Decided,
  images: readonly Sample[],
): Promise<{ readonly parity: ParityReport; readonly measured: readonly VariantMeasurement[] }> {
  const parts: DeployableParts = {
    graph: network.graph,
    logits: network.logits,
    preprocessing: network.preprocessing,
    classes: data.classes,
    temperature,
    ...(abstain && { abstainThreshold: abstain.threshold }),
    outliers,
    provenance: { gleaner: packageVersion(), method, seed: options.seed, data: data.dataset.fingerprint },
  };
  const { engine, crops, signal, track } = workshop;
  const file = timedSync(track, 'make the file', () => deployableModel(parts));
  const maxPixels = options.maxPixels * 1e6;
  const decoded = await Promise.all(
    images.slice(0, PARITY_IMAGES).map(({ file: image }) => decodeImage(image, { maxPixels })),
  );
  const proof = (): Promise<ParityReport> => proveParity(engine, file.bytes, parts, decoded, signal ? { signal } : {});
  const parity = await timed(track, 'prove parity', proof);
  await writeModelFile(run.file('model.onnx'), file);

  const exporting = {
    engine,
    crops,
    parts,
    calibrateOn: data.train.length > 0 ? data.train : data.unlabeled,
    measureOn: images,
    seed: options.seed,
    signal,
  };
  const { made, measured } = await timed(track, 'export variants', () => exportVariants(exporting, options.variants));
  for (const { variant, file: form } of made) {
    if (variant === 'float32') continue;
    await writeModelFile(run.file(`model.${variant}.onnx`), form);
  }
  return { parity, measured };
}
