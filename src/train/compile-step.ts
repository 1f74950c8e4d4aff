import { fromNumbers, type Tensor } from '../core/tensor.ts';
import { gradient } from '../autodiff/gradient.ts';
import { prepare, type BatchNormMode, type DropoutMask, type DropoutMode } from '../autodiff/prepare.ts';
import { lower, type Target } from '../lowering/lower.ts';
import type { WeightLayout } from '../lowering/weight-layout.ts';
import { addNormalise, type Preprocessing } from '../models/preprocessing.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { append } from '../onnx/compose.ts';
import { producers, pruned, type Graph, type Node, type ValueInfo } from '../onnx/graph.ts';
import { specialize } from '../onnx/specialize.ts';
import { optimizer, type OptimizerOptions } from '../optim/optimizer.ts';
import type { Parameter } from '../optim/transform.ts';
import { addUpdate, type Update } from '../optim/update.ts';
import { addStepLoss, type LabelKind, type LossOptions } from './step-loss.ts';

export type StepParameter = Omit<Parameter, 'shape'>;

/** What a batch of images is: cropped pixels, uint8 [N, h, w, 3], or the network's own input, float32 [N, ...shape]. */
export type ImageInput =
  | { readonly kind: 'pixels'; readonly preprocessing: Preprocessing }
  | { readonly kind: 'values'; readonly shape: readonly number[] };

export interface StepOptions {
  /** The forward graph, for any batch size; its initializers are where training starts. */
  readonly graph: Graph;
  /** The graph's input and its logits [N, K]. */
  readonly input: string;
  readonly logits: string;
  readonly images: ImageInput;
  readonly labels: LabelKind;
  /** Whether a batch comes with a weight a sample. Default false. */
  readonly sampleWeights?: boolean;
  readonly loss: LossOptions;
  /** The initializers to train. */
  readonly parameters: readonly StepParameter[];
  /** Images a pass. */
  readonly microBatch: number;
  /** Passes a step, whose gradients are summed. Default 1. */
  readonly microBatches?: number;
  /**
   * `batch` takes the statistics of each pass, for normalisations that train (themselves or the convolution
   * before them): a frozen layer's statistics do not move. `as-is`: as `training_mode` of each node says.
   */
  readonly batchNorm: BatchNormMode;
  /** `mask` draws masks whatever `training_mode` says, `as-is` where it is true. Default `mask`. */
  readonly dropout?: DropoutMode;
  readonly optimizer: OptimizerOptions;
  /** Decay of averaged weights; default: none are kept. */
  readonly averageDecay?: number;
  readonly target: Target;
}

/** Names of the inputs and outputs that every step has. */
export const STEP = {
  images: 'step/images',
  labels: 'step/labels',
  sampleWeights: 'step/sample_weights',
  lossScale: 'step/loss_scale',
  loss: 'step/loss',
  logits: 'step/logits',
} as const;

/** A step as graphs, ready to be written and run. All tensors of state are in packed shapes. */
export interface CompiledStep {
  /** One pass: loss, logits, new running statistics, and the new parameters and state (one pass a step) or summed gradients. */
  readonly pass: Graph;
  /** The optimizer's step on summed gradients, where a step has several passes. */
  readonly update: Graph | undefined;
  /** Inputs and outputs of the optimizer, in `update` or else in `pass`. */
  readonly names: Update;
  /** Parameter -> its layout in both graphs. */
  readonly layouts: ReadonlyMap<string, WeightLayout>;
  /** Running statistic -> the output of `pass` with its new value. */
  readonly buffers: ReadonlyMap<string, string>;
  /** Gradient sums: input of `pass` -> its output, by parameter. Empty with one pass a step. */
  readonly sums: ReadonlyMap<string, { readonly input: string; readonly output: string }>;
  readonly masks: readonly DropoutMask[];
  /** Where training starts: the graph's own values, in their own shapes. */
  readonly initial: { readonly parameters: ReadonlyMap<string, Tensor>; readonly buffers: ReadonlyMap<string, Tensor> };
  readonly images: { readonly dtype: 'uint8' | 'float32'; readonly shape: readonly number[] };
  readonly classes: number;
  readonly options: StepOptions;
}

/**
 * Makes the graphs of a training step: forward for a fixed batch, loss, gradients, lowering for the target,
 * optimizer. Graph to graph; nothing is run.
 * @throws RangeError where a parameter is not an initializer of the graph or sizes do not fit.
 * @throws ModelError where an op between loss and parameters can't be differentiated.
 */
export function compileStep(options: StepOptions): CompiledStep {
  const { graph, parameters, microBatch, microBatches = 1 } = options;
  for (const { name } of parameters)
    if (!graph.initializers.has(name))
      throw new RangeError(`"${name}" is to be trained, but it is no initializer of graph "${graph.name}".`);
  for (const [what, count] of Object.entries({ microBatch, microBatches }))
    if (!Number.isSafeInteger(count) || count < 1)
      throw new RangeError(`${what} must be a positive integer, got ${count}.`);
  const trained = parameters.map(({ name }) => name);
  const { graph: forward, bufferUpdates, masks, classes, images } = forwardWithLoss(options, trained);
  const differentiated = gradient(forward, STEP.loss, trained);
  const { graph: lowered, layouts } = lower(
    asInputs(differentiated.graph, [...trained, ...bufferUpdates.keys()]),
    options.target,
    { parameters: trained, gradients: differentiated.gradients },
  );
  const packed = parameters.map((parameter) => ({
    ...parameter,
    shape: [...layouts.get(parameter.name)!.packedShape],
  }));
  const passOutputs = new Set([STEP.loss, STEP.logits, ...bufferUpdates.values()]);
  const pass = GraphBuilder.from(
    { ...lowered, outputs: lowered.outputs.filter((output) => passOutputs.has(output.name)) },
    { name: `${graph.name}_step` },
  );
  const updateOptions = {
    transform: optimizer(options.optimizer),
    parameters: packed,
    values: new Map(trained.map((name) => [name, name])),
    ...(options.averageDecay !== undefined && { averageDecay: options.averageDecay }),
  };
  const common = {
    layouts,
    buffers: bufferUpdates,
    masks,
    initial: { parameters: pick(graph, trained), buffers: pick(graph, [...bufferUpdates.keys()]) },
    images,
    classes,
    options,
  };
  if (microBatches === 1) {
    const names = addUpdate(pass, { ...updateOptions, gradients: differentiated.gradients, buffers: bufferUpdates });
    return { ...common, pass: pass.build(), update: undefined, names, sums: new Map() };
  }

  const sums = new Map<string, { input: string; output: string }>();
  for (const { name, shape } of packed) {
    const input = pass.input(`sum/${name}`, 'float32', shape);
    const sum = pass.op('Add', [input, differentiated.gradients.get(name)!], {}, { outputs: [`sum/${name}_next`] });
    sums.set(name, { input, output: pass.output(sum) });
  }
  const update = new GraphBuilder(`${graph.name}_update`);
  for (const { name, shape } of packed) update.input(name, 'float32', shape);
  const gradients = new Map(packed.map(({ name, shape }) => [name, update.input(`sum/${name}`, 'float32', shape)]));
  const averaged = options.averageDecay === undefined ? [] : [...bufferUpdates.keys()];
  const buffers = new Map(averaged.map((name) => [name, update.input(name, 'float32', pass.shape(name))]));
  const names = addUpdate(update, { ...updateOptions, gradients, buffers });
  return { ...common, pass: pass.build(), update: update.build(), names, sums };
}

interface ForwardWithLoss {
  readonly graph: Graph;
  readonly bufferUpdates: ReadonlyMap<string, string>;
  readonly masks: readonly DropoutMask[];
  readonly classes: number;
  readonly images: CompiledStep['images'];
}

function forwardWithLoss(options: StepOptions, trained: readonly string[]): ForwardWithLoss {
  const { microBatch, images } = options;
  const outputs = options.graph.outputs.filter((output) => output.name === options.logits);
  if (outputs.length === 0) throw new RangeError(`"${options.logits}" is no output of graph "${options.graph.name}".`);
  const b = new GraphBuilder(options.graph.name);
  const pixels = images.kind === 'pixels';
  const shape = [microBatch, ...(pixels ? [...images.preprocessing.inputSize, 3] : images.shape)];
  const dtype = pixels ? 'uint8' : 'float32';
  const fed = b.input(STEP.images, dtype, shape);
  const x = pixels ? addNormalise(b, fed, images.preprocessing) : fed;
  const { dropout = 'mask' } = options;
  const wanted = pruned({ ...options.graph, outputs });
  const fixed = specialize(dropout === 'mask' ? withActiveDropout(wanted) : wanted, {
    inputs: { [options.input]: b.shape(x) },
  });
  const made = append(b, fixed, { [options.input]: x });
  b.output(made[options.logits]!, STEP.logits);
  const composed = b.build();
  const prepared = prepare(composed, {
    batchNorm: options.batchNorm === 'batch' ? unlessFrozen(composed, trained) : options.batchNorm,
    dropout,
  });

  const withLoss = GraphBuilder.from(prepared.graph);
  const [, classes] = withLoss.shape(STEP.logits) as [number, number];
  const labels =
    options.labels === 'indices'
      ? withLoss.input(STEP.labels, 'int64', [microBatch])
      : withLoss.input(STEP.labels, 'float32', [microBatch, classes]);
  const sampleWeights = options.sampleWeights ? withLoss.input(STEP.sampleWeights, 'float32', [microBatch]) : undefined;
  const loss = addStepLoss(withLoss, options.loss, {
    logits: STEP.logits,
    labels,
    scale: withLoss.input(STEP.lossScale, 'float32', []),
    ...(sampleWeights !== undefined && { sampleWeights }),
  });
  withLoss.output(loss, STEP.loss);
  return {
    graph: withLoss.build(),
    bufferUpdates: prepared.bufferUpdates,
    masks: prepared.masks,
    classes,
    images: { dtype, shape: shape.slice(1) },
  };
}

/** Every Dropout in training mode: one at inference would be left out when constants are folded. */
function withActiveDropout(graph: Graph): Graph {
  if (!graph.nodes.some(isDropout)) return graph;
  const b = GraphBuilder.from(graph);
  const active = b.constant(fromNumbers('bool', [], [1]));
  const built = b.build();
  const nodes = graph.nodes.map((node) =>
    isDropout(node) ? { ...node, inputs: [node.inputs[0]!, node.inputs[1] ?? '', active] } : node,
  );
  return { ...built, nodes };
}

const isDropout = (node: Node): boolean => node.opType === 'Dropout' && node.domain === '';

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
    if (value === undefined) continue;
    initializers.delete(name);
    inputs.push({ name, type: { dtype: value.dtype, shape: value.shape } });
  }
  return { ...graph, inputs, initializers };
}

function pick(graph: Graph, names: readonly string[]): Map<string, Tensor> {
  return new Map(names.map((name) => [name, graph.initializers.get(name)!]));
}
