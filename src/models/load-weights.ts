import { ModelError } from '../core/errors.ts';
import { tensor, toNumbers, type Tensor } from '../core/tensor.ts';
import type { Graph, Model } from '../onnx/graph.ts';

export interface LoadedWeights<M extends Model> {
  readonly model: M;
  /** Parameters and statistics of the model that were not in the file; the model keeps its own. */
  readonly missing: readonly string[];
  /** Tensors of the file that the model has no place for. */
  readonly unexpected: readonly string[];
  /** Weights of the classifier that the model kept because the file has another number of classes. */
  readonly replacedHead: readonly string[];
}

/**
 * Puts tensors into a model by name, as float32. The classifier is left as it is where the file has
 * another number of classes. Sides of 1 may differ ([O, I] for [O, I, 1, 1]).
 * @throws ModelError listing every tensor of a wrong shape, or, unless `allowMissing`, every one missing.
 * @example
 * const model = buildModel('resnet18', { classes: 1000 });
 * const loaded = loadWeights(model, (await readSafetensorsFile('resnet18.safetensors')).tensors);
 */
export function loadWeights<M extends Model>(
  model: M,
  tensors: ReadonlyMap<string, Tensor>,
  options: { readonly allowMissing?: boolean; readonly source?: string } = {},
): LoadedWeights<M> {
  const source = options.source ?? 'The weights';
  const { graph } = model;
  const head = classifierParameters(graph);
  const initializers = new Map(graph.initializers);
  const wrong: string[] = [];
  const missing: string[] = [];
  const replacedHead: string[] = [];
  const used = new Set<string>();
  for (const [name, current] of graph.initializers) {
    // Sizes, bounds and other constants are the architecture's, not the file's.
    if (current.dtype !== 'float32' || current.shape.length === 0) continue;
    const given = tensors.get(name);
    if (given === undefined) {
      missing.push(name);
      continue;
    }
    used.add(name);
    if (squeezed(given.shape) === squeezed(current.shape))
      initializers.set(name, asFloat32(name, given, current.shape));
    else if (head.includes(name) && sameButClasses(given.shape, current.shape)) replacedHead.push(name);
    else wrong.push(`${name} is [${given.shape}], expected [${current.shape}]`);
  }
  if (wrong.length > 0) throw new ModelError(`${source} do not fit the network: ${listed(wrong)}.`);
  if (missing.length > 0 && !options.allowMissing)
    throw new ModelError(`${source} lack ${missing.length} of the network's tensors: ${listed(missing)}.`);
  const unexpected = [...tensors.keys()].filter((name) => !used.has(name) && !name.endsWith('.num_batches_tracked'));
  return { model: { ...model, graph: { ...graph, initializers } }, missing, unexpected, replacedHead };
}

/** Weight and bias of the Gemm that makes `logits`. */
function classifierParameters(graph: Graph): string[] {
  const node = graph.nodes.find(({ opType, outputs }) => opType === 'Gemm' && outputs.includes('logits'));
  return node === undefined ? [] : node.inputs.slice(1);
}

function sameButClasses(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && String(a.slice(1)) === String(b.slice(1));
}

function squeezed(shape: readonly number[]): string {
  return shape.filter((side) => side !== 1).join();
}

function asFloat32(name: string, given: Tensor, shape: readonly number[]): Tensor {
  if (given.dtype === 'float32') return tensor('float32', shape, given.data);
  if (!given.dtype.includes('float'))
    throw new ModelError(`The weights "${name}" must be floating point, got ${given.dtype}.`);
  const values = given.dtype === 'float64' ? (given.data as Float64Array) : toNumbers(given);
  return tensor('float32', shape, Float32Array.from(values));
}

function listed(items: readonly string[]): string {
  const shown = items.slice(0, 8).join('; ');
  return items.length > 8 ? `${shown}; and ${items.length - 8} more` : shown;
}
