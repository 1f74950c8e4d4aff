import { fromNumbers, type Tensor } from '../core/tensor.ts';
import { gradient } from '../autodiff/gradient.ts';
import { prepare, type BatchNormMode, type DropoutMask, type DropoutMode } from '../autodiff/prepare.ts';
import { lower } from '../lowering/lower.ts';
import type { Target } from '../lowering/target.ts';
import type { WeightLayout } from '../lowering/weight-layout.ts';
import { addNormalise, type Preprocessing } from '../models/preprocessing.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { append, extract } from '../onnx/compose.ts';
import { producers, pruned, type Graph, type Node, type ValueInfo } from '../onnx/graph.ts';
import { specialize } from '../onnx/specialize.ts';
import { addAveragedNetwork, isOfAverage, movedAverages, splitRows } from './averaged-network.ts';
import { withRecomputation } from './recompute.ts';
import { stateName, type Objective } from './objective.ts';
import { objectiveOf, type LabelKind, type StepLoss } from './step-loss.ts';

/** What a batch of images is: cropped pixels, uint8 [N, h, w, 3], or the network's own input, float32 [N, ...shape]. */
export type ImageInput =
  | { readonly kind: 'pixels'; readonly preprocessing: Preprocessing }
  | { readonly kind: 'values'; readonly shape: readonly number[] };

export interface GradientOptions {
  /** The forward graph, for any batch size; its initializers are where training starts. */
  readonly graph: Graph;
  /** The graph's input and its logits [N, K]. */
  readonly input: string;
  readonly logits: string;
  readonly images: ImageInput;
  readonly labels: LabelKind;
  /** Whether a batch comes with a weight a sample. Default false. */
  readonly sampleWeights?: boolean;
  readonly loss: StepLoss;
  /** Samples a pass: images, or several views of each where their consistency is part of the loss. */
  readonly microBatch: number;
  /**
   * `batch` takes the statistics of each pass, for normalisations that train (themselves or the convolution
   * before them): a frozen layer's statistics do not move. `as-is`: as `training_mode` of each node says.
   */
  readonly batchNorm: BatchNormMode;
  /** `mask` draws masks whatever `training_mode` says, `as-is` where it is true. Default `mask`. */
  readonly dropout?: DropoutMode;
  readonly target: Target;
  /** Keeps only the end of every k-th block for backward, which computes the rest again. Default: all is kept. */
  readonly recompute?: number;
}

/** Names of the inputs and outputs that every pass has. */
export const STEP = {
  images: 'step/images',
  labels: 'step/labels',
  sampleWeights: 'step/sample_weights',
  lossScale: 'step/loss_scale',
  loss: 'step/loss',
  logits: 'step/logits',
} as const;

/** The input of a pass by which a target of the objective comes in. */
export function targetInput(name: string): string {
  return `step/target/${name}`;
}

/** What the moving average of the weights says. */
const AVERAGED = 'step/averaged';

function stateOf({ state }: Objective): Map<string, Tensor> {
  return new Map([...state].map(([name, value]) => [stateName(name), value]));
}

function outputInput(name: string): string {
  return `step/output/${name}`;
}

/** Forward and backward of one pass, lowered. Parameters are inputs in packed shapes, and so are their gradients. */
export interface GradientGraph {
  readonly graph: Graph;
  /** Parameter -> output with its gradient. */
  readonly gradients: ReadonlyMap<string, string>;
  /** Parameter -> its layout. */
  readonly layouts: ReadonlyMap<string, WeightLayout>;
  /** Running statistic, or state of the objective -> output with its new value. */
  readonly buffers: ReadonlyMap<string, string>;
  readonly masks: readonly DropoutMask[];
  /** What the objective tells beside the loss -> output. */
  readonly metrics: ReadonlyMap<string, string>;
  /** Where training starts: the forward graph's own values, in their own shapes. */
  readonly initial: InitialValues;
  /** One image of a batch. */
  readonly images: { readonly dtype: 'uint8' | 'float32'; readonly shape: readonly number[] };
  readonly classes: number;
}

export interface InitialValues {
  readonly parameters: ReadonlyMap<string, Tensor>;
  readonly buffers: ReadonlyMap<string, Tensor>;
}

/**
 * Makes the graph of one pass: forward for a fixed batch, loss, gradients, lowering for the target. Graph to
 * graph; nothing is run.
 * @param parameters names of the initializers to train
 * @throws RangeError where a parameter is not an initializer of the graph or sizes do not fit.
 * @throws ModelError where an op between loss and parameters can't be differentiated.
 */
export function gradientGraph(options: GradientOptions, parameters: readonly string[]): GradientGraph {
  const { graph, microBatch } = options;
  const missing = parameters.find((name) => !graph.initializers.has(name));
  if (missing !== undefined)
    throw new RangeError(`"${missing}" is to be trained, but it is no initializer of graph "${graph.name}".`);
  if (!Number.isSafeInteger(microBatch) || microBatch < 1)
    throw new RangeError(`microBatch must be a positive integer, got ${microBatch}.`);
  const { graph: forward, buffers, constants, state, ...rest } = forwardWithLoss(options, parameters);
  const differentiated = gradient(forward, STEP.loss, parameters, { constants });
  const lowered = lower(asInputs(differentiated.graph, [...parameters, ...buffers.keys()]), options.target, {
    parameters,
    gradients: differentiated.gradients,
  });
  const { recompute } = options;
  const { images, loss, lossScale } = STEP;
  return {
    layouts: lowered.layouts,
    graph:
      recompute === undefined
        ? lowered.graph
        : withRecomputation(lowered.graph, { every: recompute, images, loss, lossScale }),
    gradients: differentiated.gradients,
    buffers,
    initial: {
      parameters: pick(graph.initializers, parameters),
      buffers: pick(new Map([...graph.initializers, ...state]), [...buffers.keys()]),
    },
    ...rest,
  };
}

/** The graph of a pass before it is differentiated: specialised, prepared for training, with its loss. */
export function forwardWithLoss(
  options: GradientOptions,
  trained: readonly string[],
): Pick<GradientGraph, 'graph' | 'buffers' | 'masks' | 'metrics' | 'images' | 'classes'> & {
  readonly constants: readonly string[];
  /** Where what the objective remembers starts. */
  readonly state: ReadonlyMap<string, Tensor>;
} {
  const { microBatch, images, dropout = 'mask' } = options;
  const objective = objectiveOf(options.loss);
  const read = [options.logits, ...objective.outputs];
  const missing = read.find((name) => !options.graph.outputs.some((output) => output.name === name));
  if (missing !== undefined) throw new RangeError(`"${missing}" is no output of graph "${options.graph.name}".`);
  const wanted = pruned({ ...options.graph, outputs: options.graph.outputs.filter(({ name }) => read.includes(name)) });

  const b = new GraphBuilder(options.graph.name);
  const isPixels = images.kind === 'pixels';
  const shape = isPixels ? [...images.preprocessing.inputSize, 3] : images.shape;
  const dtype = isPixels ? 'uint8' : 'float32';
  const fed = b.input(STEP.images, dtype, [microBatch * objective.rows, ...shape]);
  const all = isPixels ? addNormalise(b, fed, images.preprocessing) : fed;
  const { own: x } = splitRows(b, all, objective);
  const fixed = specialize(dropout === 'mask' ? withActiveDropout(wanted) : wanted, {
    inputs: { [options.input]: b.shape(x) },
  });
  const made = append(b, fixed, { [options.input]: x });
  b.output(made[options.logits]!, STEP.logits);
  const averaged =
    objective.averaged && addAveragedNetwork(b, extract(wanted, [options.logits]), all, objective, trained);
  if (averaged !== undefined) b.output(averaged.logits, AVERAGED);
  for (const name of objective.outputs) b.output(made[name]!, outputInput(name));
  const composed = b.build();
  const moving = [...trained, ...(averaged?.states.keys() ?? [])];
  const prepared = prepare(composed, {
    batchNorm: options.batchNorm === 'batch' ? unlessFrozen(composed, moving) : options.batchNorm,
    dropout: (node) => (isOfAverage(node) ? 'remove' : dropout),
  });
  const statistics = [...prepared.bufferUpdates].filter(([name]) => wanted.initializers.has(name));

  const withLoss = GraphBuilder.from(prepared.graph);
  const [, classes] = withLoss.shape(STEP.logits) as [number, number];
  const labels =
    options.labels === 'indices'
      ? withLoss.input(STEP.labels, 'int64', [microBatch])
      : withLoss.input(STEP.labels, 'float32', [microBatch, classes]);
  const sampleWeights = options.sampleWeights ? withLoss.input(STEP.sampleWeights, 'float32', [microBatch]) : undefined;
  const targets = [...objective.targets].map(([name, shapeOfOne]) => {
    return [name, withLoss.input(targetInput(name), 'float32', [microBatch, ...shapeOfOne])] as const;
  });
  const state = new Map([...stateOf(objective), ...(averaged?.states ?? [])]);
  for (const [name, value] of state) if (!withLoss.has(name)) withLoss.initializer(name, value);
  const added = objective.add(withLoss, {
    logits: STEP.logits,
    labels,
    scale: withLoss.input(STEP.lossScale, 'float32', []),
    ...(sampleWeights !== undefined && { sampleWeights }),
    ...(averaged !== undefined && { averaged: AVERAGED }),
    outputs: new Map(objective.outputs.map((name) => [name, outputInput(name)])),
    targets: new Map(targets),
    state: new Map([...objective.state.keys()].map((name) => [name, stateName(name)])),
  });
  withLoss.output(added.loss, STEP.loss);
  const metrics = [...(added.metrics ?? [])].map(([name, value]) => {
    return [name, withLoss.output(value, `step/metric/${name}`)] as const;
  });
  const averages = averaged === undefined ? [] : movedAverages(withLoss, trained, added.averageRate!);
  const remembered = [...(added.state ?? [])].map(([name, value]) => [stateName(name), value] as const);
  const next = [...remembered, ...averages].map(([name, value]) => {
    return [name, withLoss.output(value, `${name}_next`)] as const;
  });
  return {
    graph: withLoss.build(),
    buffers: new Map([...statistics, ...next]),
    masks: prepared.masks,
    metrics: new Map(metrics),
    constants: added.constants ?? [],
    state,
    images: { dtype, shape },
    classes,
  };
}

/** Every Dropout in training mode: one at inference would be left out when constants are folded. */
export function withActiveDropout(graph: Graph): Graph {
  if (!graph.nodes.some(isDropout)) return graph;
  const b = GraphBuilder.from(graph);
  const active = b.constant(fromNumbers('bool', [], [1]));
  const built = b.build();
  const nodes = graph.nodes.map((node) =>
    isDropout(node) ? { ...node, inputs: [node.inputs[0]!, node.inputs[1] ?? '', active] } : node,
  );
  return { ...built, nodes };
}

export const isDropout = (node: Node): boolean => node.opType === 'Dropout' && node.domain === '';

/** Batch statistics where the normalisation trains, itself or the convolution in front of it. */
function unlessFrozen(graph: Graph, trained: readonly string[]): (node: Node) => BatchNormMode {
  const names = new Set(trained);
  const makers = producers(graph);
  const trains = (node: Node | undefined): boolean => node !== undefined && node.inputs.some((name) => names.has(name));
  return (node) => (trains(node) || trains(makers.get(node.inputs[0]!)) ? 'batch' : 'frozen');
}

/** Initializers as inputs, so that each run can be given new values. */
function asInputs(graph: Graph, names: readonly string[]): Graph {
  const initializers = new Map(graph.initializers);
  const inputs: ValueInfo[] = [...graph.inputs];
  for (const name of new Set(names)) {
    const value = initializers.get(name);
    if (value === undefined) throw new RangeError(`The loss of graph "${graph.name}" does not depend on "${name}".`);
    initializers.delete(name);
    inputs.push({ name, type: { dtype: value.dtype, shape: value.shape } });
  }
  return { ...graph, inputs, initializers };
}

function pick(values: ReadonlyMap<string, Tensor>, names: readonly string[]): Map<string, Tensor> {
  return new Map(names.map((name) => [name, values.get(name)!]));
}
