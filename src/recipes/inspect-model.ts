import { isDifferentiable } from '../autodiff/rules/table.ts';
import { readSafetensorsFile } from '../core/safetensors.ts';
import { InputError } from '../core/errors.ts';
import type { Target } from '../lowering/target.ts';
import type { Graph } from '../onnx/graph.ts';
import { summarize } from '../onnx/inspect.ts';
import { loadModel } from '../onnx/read.ts';
import { specialize } from '../onnx/specialize.ts';
import { whyUntrainable } from '../onnx/trainability.ts';
import { blockSize } from '../runtime/block-size.ts';
import { Engine } from '../runtime/engine.ts';
import { verifyModel, type VerifyResult } from '../train/verify.ts';

export interface InspectOptions {
  /** Recorded values to check the engine against: input, labels, logits, loss, gradients, steps, buffers. */
  readonly verify?: string;
  /** How gradients are lowered for `verify`; `auto` is what training takes on this machine. */
  readonly lowering?: 'auto' | 'plain' | 'blocked';
  /** Side of the input, in pixels, where the model leaves it open. */
  readonly inputSize?: number;
  readonly device?: string;
  readonly threads?: number;
  readonly signal?: AbortSignal;
}

export interface LayerSummary {
  readonly name: string;
  readonly op: string;
  /** `[1, 64, 56, 56]`, or `?`. */
  readonly output: string;
  readonly parameters: number;
  readonly multiplyAdds: number;
}

export interface Inspection {
  /** Of the file. */
  readonly opset: number;
  readonly producer: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly parameters: number;
  /** Of one image; undefined where a shape is not known. */
  readonly multiplyAdds: number | undefined;
  /** Operators without a gradient. */
  readonly untrainableOps: readonly string[];
  /** Why the model can't be trained as it is, and what to do. */
  readonly whyUntrainable: string | undefined;
  readonly layers: readonly LayerSummary[];
  readonly verify?: VerifyResult;
}

/**
 * What a model is made of, and with `verify` whether the engine computes what was recorded.
 * @throws ModelError, FormatError, InputError for files that can't be read or used.
 * @example
 * const { parameters, untrainableOps } = await inspect('mobilenet_v2.onnx');
 */
export async function inspect(file: string, options: InspectOptions = {}): Promise<Inspection> {
  const model = await loadModel(file);
  const { graph } = withKnownShapes(model.graph, options.inputSize);
  const summary = summarize(graph);
  const untrainable = new Set(
    model.graph.nodes
      .filter((node) => !isDifferentiable(node))
      .map((node) => (node.domain === '' ? node.opType : `${node.domain}:${node.opType}`)),
  );
  const show = (values: Graph['inputs']): string[] =>
    values.map(({ name, type }) => `${name} ${type.dtype} [${type.shape?.join(', ') ?? '?'}]`);
  return {
    opset: model.sourceOpset,
    producer: model.producer,
    inputs: show(model.graph.inputs),
    outputs: show(model.graph.outputs),
    parameters: summary.parameters,
    multiplyAdds: summary.multiplyAdds,
    untrainableOps: [...untrainable].toSorted(),
    whyUntrainable: whyUntrainable(model.graph),
    layers: summary.nodes.map(({ node, output, parameters, multiplyAdds }) => ({
      name: node.name,
      op: node.opType,
      output: output === undefined ? '?' : `[${output.join(', ')}]`,
      parameters,
      multiplyAdds: multiplyAdds ?? 0,
    })),
    ...(options.verify !== undefined && { verify: await verified(model.graph, options.verify, options) }),
  };
}

/** One image, of the side that the file or the caller says; as it is where nobody does. */
function withKnownShapes(graph: Graph, side: number | undefined): { graph: Graph } {
  const inputs: Record<string, number[]> = {};
  for (const { name, type } of graph.inputs) {
    if (type.shape === undefined) return { graph };
    const shape = type.shape.map((dim, axis) => (typeof dim === 'number' ? dim : axis === 0 ? 1 : side));
    if (shape.some((dim) => dim === undefined)) return { graph };
    inputs[name] = shape as number[];
  }
  return { graph: specialize(graph, { inputs }) };
}

async function verified(graph: Graph, file: string, options: InspectOptions): Promise<VerifyResult> {
  const expected = await readSafetensorsFile(file);
  await using engine = await Engine.start({
    ...(options.device !== undefined && { device: options.device }),
    ...(options.threads !== undefined && { threads: options.threads }),
  });
  const block = options.lowering === 'plain' ? 1 : await blockSize(engine);
  if (options.lowering === 'blocked' && block === 1)
    throw new InputError('The device has no blocked layout, so --lowering blocked is not possible on it.');
  const target: Target = block > 1 ? { kind: 'blocked', block } : { kind: 'plain' };
  return await verifyModel(engine, graph, expected, target);
}
