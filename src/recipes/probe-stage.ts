import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readSafetensorsFile, writeSafetensorsFile } from '../core/safetensors.ts';
import { tensor, type Tensor } from '../core/tensor.ts';
import type { Workshop } from './fit.ts';
import { fitLinearProbe } from './linear-probe.ts';
import { outputsOf } from './outputs.ts';
import type { TrainingData } from './prepare-data.ts';
import type { ResolvedTrainOptions } from './train-options.ts';

export interface ProbeOutcome {
  readonly weight: Tensor;
  readonly bias: Tensor;
  readonly outOfFold: Float32Array | undefined;
}

/** Features and the linear head on them; taken from the stage's folder where it was done before. */
export async function probeStage(
  workshop: Workshop,
  options: ResolvedTrainOptions,
  classes: number,
  samples: TrainingData['train'],
  folder: string,
  extractor: Parameters<typeof outputsOf>[1],
): Promise<ProbeOutcome> {
  const file = join(folder, 'head.safetensors');
  if (existsSync(file)) {
    const { tensors } = await readSafetensorsFile(file, { requireChecksum: true });
    return {
      weight: tensors.get('weight')!,
      bias: tensors.get('bias')!,
      outOfFold: tensors.get('out_of_fold')?.data as Float32Array | undefined,
    };
  }
  const { engine, crops, onProgress, signal } = workshop;
  const features = await outputsOf(engine, extractor, crops, samples, { stage: 'features', onProgress, signal });
  const result = await fitLinearProbe(
    engine,
    features,
    samples.map(({ label }) => label),
    classes,
    {
      seed: options.seed,
      ...(options.folds !== undefined && { folds: options.folds }),
      ...(signal && { signal }),
    },
  );
  workshop.record({ type: 'probe', strength: result.strength, crossValidation: result.crossValidation });
  const tensors: [string, Tensor][] = [
    ['weight', result.weight],
    ['bias', result.bias],
  ];
  if (result.outOfFold !== undefined)
    tensors.push(['out_of_fold', tensor('float32', [samples.length, classes], result.outOfFold)]);
  await writeSafetensorsFile(file, tensors);
  return result;
}
