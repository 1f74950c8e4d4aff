import { openBackbone, type Backbone } from '../backbones/open.ts';
import type { TrainControl } from './train-control.ts';
import type { ResolvedTrainOptions } from './train-options.ts';

/** What may be said of a backbone that doesn't declare it. */
export type BackboneOptions = Pick<
  ResolvedTrainOptions,
  'inputSize' | 'mean' | 'std' | 'channels' | 'interpolation' | 'cropFraction' | 'layout' | 'embedding' | 'logits'
>;

/**
 * The backbone that options ask for, with what they say of its preprocessing, described.
 * @throws InputError, ModelError, RunError as `openBackbone`
 */
export async function givenBackbone(
  spec: string,
  options: BackboneOptions,
  { signal, onProgress }: TrainControl,
): Promise<Backbone> {
  const { inputSize, mean, std, channels, interpolation, cropFraction, layout, embedding, logits } = options;
  const flags = { inputSize, mean, std, channels, interpolation, cropFraction, layout, embedding, logits };
  const backbone = await openBackbone(
    spec,
    Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined)),
    { ...(signal && { signal }), ...(onProgress && { onProgress }) },
  );
  onProgress?.({ type: 'note', message: backbone.description });
  return backbone;
}
