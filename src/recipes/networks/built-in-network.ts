import type { OnProgress } from '../../core/progress.ts';
import type { BuiltModel } from '../../models/layers.ts';
import { describePreprocessing, parsePreprocessing, type Preprocessing } from '../../models/preprocessing.ts';
import { buildModel, defaultInputSize } from '../../models/registry.ts';
import { defaultModel, defaultSide, type Images } from './default-model.ts';
import type { ResolvedTrainOptions } from '../train-options.ts';

type BuiltInOptions = Pick<
  ResolvedTrainOptions,
  'model' | 'inputSize' | 'mean' | 'std' | 'interpolation' | 'cropFraction' | 'channels' | 'seed'
>;

/**
 * A network with random weights: the one that is named, or one that suits the images.
 * @throws InputError for an unknown name or a preprocessing that makes no sense
 */
export function builtInNetwork(
  options: BuiltInOptions,
  images: Images,
  build: { readonly classes: number; readonly dropout?: number },
  onProgress: OnProgress | undefined,
): { readonly name: string; readonly model: BuiltModel; readonly preprocessing: Preprocessing } {
  const { seed, interpolation, cropFraction, channels } = options;
  const name = options.model ?? defaultModel(images);
  const side = options.inputSize ?? (options.model === undefined ? defaultSide(images) : defaultInputSize(name));
  const half = [127.5, 127.5, 127.5] as const;
  const preprocessing = parsePreprocessing(
    {
      inputSize: [side, side],
      mean: options.mean ?? half,
      std: options.std ?? half,
      ...(interpolation && { interpolation }),
      ...(cropFraction && { cropFraction }),
      ...(channels && { channels }),
    },
    'the options',
  );
  const model = buildModel(name, { inputSize: side, seed, ...build });
  onProgress?.({
    type: 'note',
    message: `Network: ${name}, from scratch.\nPreprocessing: ${describePreprocessing(preprocessing)}.`,
  });
  return { name, model, preprocessing };
}
