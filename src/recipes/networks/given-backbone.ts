import { openBackbone, type Backbone } from '../../backbones/open.ts';
import { withGradients } from '../../models/join-gradients.ts';
import type { TrainControl } from '../train-control.ts';
import type { ResolvedTrainOptions } from '../train-options.ts';

/** What may be said of a backbone that doesn't declare it. */
export type BackboneOptions = Pick<
  ResolvedTrainOptions,
  'inputSize' | 'mean' | 'std' | 'channels' | 'interpolation' | 'cropFraction' | 'layout' | 'embedding' | 'logits'
> &
  Partial<Pick<ResolvedTrainOptions, 'gradients'>>;

/**
 * The backbone that options ask for, with what they say of its preprocessing, described; with histograms of gradients among its features
 * where they ask for these.
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
  return options.gradients === true ? joined(backbone) : backbone;
}

function joined(backbone: Backbone): Backbone {
  const { graph, embedding } = withGradients(backbone.model.graph, backbone.embedding, backbone.preprocessing);
  return { ...backbone, model: { ...backbone.model, graph }, embedding };
}
