import { ModelError } from '../core/errors.ts';
import type { Preprocessing } from '../models/preprocessing.ts';
import { foldConstants } from '../onnx/fold.ts';
import type { Graph, Shape } from '../onnx/graph.ts';

/** The input that takes the image. */
export interface ImageInput {
  readonly name: string;
  /** Undefined where the graph leaves the channels' axis open. */
  readonly layout: 'nchw' | 'nhwc' | undefined;
  /** Height and width; undefined where the graph leaves them open. */
  readonly sides: readonly [number, number] | undefined;
}

/**
 * Finds the input of a network and checks that an image can be fed to it, before anything is run.
 * @throws ModelError for several inputs, a wrong type or rank, or other than three channels.
 */
export function imageInput(graph: Graph, source: string): ImageInput {
  const described = graph.inputs.map(({ name, type }) => `${name} ${type.dtype} [${type.shape ?? '?'}]`).join(', ');
  const expected = 'Expected one float32 input of shape [N, 3, H, W] or [N, H, W, 3]';
  if (graph.inputs.length !== 1)
    throw new ModelError(`${source}: ${expected}; it has ${graph.inputs.length}: ${described || 'none'}.`);
  const { name, type } = graph.inputs[0]!;
  if (type.dtype === 'uint8')
    throw new ModelError(
      `${source}: ${expected}, got ${described}. A model with its preprocessing inside can not be a backbone; export the bare network (gleaner export --bare).`,
    );
  if (type.dtype !== 'float32')
    throw new ModelError(`${source}: ${expected}, got ${described}. Export the float32 model.`);
  if (type.shape === undefined) return { name, layout: undefined, sides: undefined };
  if (type.shape.length !== 4) throw new ModelError(`${source}: ${expected}, got ${described}.`);
  const [, second, third, fourth] = type.shape;
  const layout = second === 3 ? 'nchw' : fourth === 3 ? 'nhwc' : undefined;
  if (layout === undefined && typeof second === 'number' && typeof fourth === 'number')
    throw new ModelError(`${source}: ${expected}, got ${described}: no axis has three channels.`);
  const sides = layout === 'nhwc' ? [second, third] : [third, fourth];
  const fixed = layout !== undefined && sides.every((side) => typeof side === 'number');
  return { name, layout, sides: fixed ? (sides as [number, number]) : undefined };
}

/**
 * Checks a preprocessing against what the graph fixes.
 * @throws ModelError naming the value that does not fit and where it came from.
 */
export function checkPreprocessing(input: ImageInput, preprocessing: Preprocessing, source: string): void {
  const { layout, sides, name } = input;
  if (layout !== undefined && layout !== preprocessing.layout)
    throw new ModelError(
      `${source}: its input "${name}" is laid out ${layout}, but the preprocessing says ${preprocessing.layout} (--layout).`,
    );
  if (sides !== undefined && String(sides) !== String(preprocessing.inputSize))
    throw new ModelError(
      `${source}: its input "${name}" is fixed to ${sides.join('x')} pixels, but the preprocessing says ${preprocessing.inputSize.join('x')} (--input-size).`,
    );
}

/**
 * The graph with a batch of any size and the sizes of `preprocessing` at its input, everything that follows from that folded.
 * @param batched a value whose first side must then be the batch
 * @throws ModelError where the file fixes its batch further inside.
 */
export function forImages(
  graph: Graph,
  input: ImageInput,
  preprocessing: Preprocessing,
  batched: string,
  source: string,
): Graph {
  const sides = preprocessing.inputSize;
  const shape: Shape = preprocessing.layout === 'nchw' ? ['N', 3, ...sides] : ['N', ...sides, 3];
  const { dtype, shape: declared } = graph.inputs[0]!.type;
  const fixedBatch = typeof declared?.[0] === 'number' ? declared[0] : undefined;
  let folded: Graph;
  try {
    folded = foldConstants({
      ...graph,
      inputs: [{ name: input.name, type: { dtype, shape } }],
      // What a file with a fixed batch says of its outputs is no longer true.
      outputs:
        fixedBatch === undefined
          ? graph.outputs
          : graph.outputs.map(({ name, type }) => ({ name, type: { ...type, shape: undefined } })),
    });
  } catch (error) {
    throw new ModelError(`${source} can not take images of ${sides.join('x')}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  const batch = folded.types.get(batched)?.shape?.[0];
  if (typeof batch === 'number')
    throw new ModelError(
      `${source}: its batch is fixed to ${fixedBatch ?? batch}${fixedBatch === undefined ? ` inside ("${batched}")` : ''}. Export it with a dynamic batch (dynamic_axes or dynamic_shapes in PyTorch).`,
    );
  return folded;
}
