import { GraphBuilder } from '../onnx/builder.ts';
import { float, INTERNAL_OPSET, type Model } from '../onnx/graph.ts';
import { heFanOut, initialise, one, uniformFanIn, zero, type Initialiser } from './initialise.ts';

/** A network made here, not read from a file. */
export interface BuiltModel extends Model {
  /** As in the registry: `resnet18`. */
  readonly name: string;
  /** Side of the square input, in pixels. */
  readonly inputSize: number;
  /** What is trained, in the order of the graph; running statistics are not among them. */
  readonly parameters: readonly string[];
}

/** What every builder takes. */
export interface NetworkOptions {
  readonly classes: number;
  /** Side of the square input, in pixels. */
  readonly inputSize: number;
  /** Of the initial weights; absent: every parameter is zero, for weights that are loaded next. */
  readonly seed?: number;
  /** Rate of dropout before the classifier, 0..1. Default 0. */
  readonly dropout?: number;
}

/** Which normalisations and activations a network has. */
export type Activation = 'relu' | 'relu6' | 'hard-swish' | 'gelu' | 'none';

export interface ConvOptions {
  readonly out: number;
  readonly kernel: number;
  /** Default 1. */
  readonly stride?: number;
  /** Pixels on each side (default: (kernel - 1) / 2), or TensorFlow's `same`: the odd pixel at the end. */
  readonly padding?: number | 'same';
  /** Default 1. */
  readonly groups?: number;
  /** Default false. */
  readonly bias?: boolean;
  /** Default He with fan-out. */
  readonly init?: Initialiser;
}

/**
 * Layers by the names PyTorch's modules give their parameters: `layers.conv('layer1.0.conv1', x, ...)` makes
 * `layer1.0.conv1.weight` and a node `layer1.0.conv1`. Images are [N, C, H, W] float32.
 */
export class Layers {
  readonly builder: GraphBuilder;
  readonly #name: string;
  readonly #options: NetworkOptions;
  readonly #parameters: string[] = [];

  constructor(name: string, options: NetworkOptions) {
    checkOptions(name, options);
    this.#name = name;
    this.#options = options;
    this.builder = new GraphBuilder(name);
  }

  /** The network's input: `input` [N, 3, S, S]. */
  input(): string {
    const side = this.#options.inputSize;
    return this.builder.input('input', 'float32', ['N', 3, side, side]);
  }

  /** Side `axis` of a value, known when the graph is built. */
  side(value: string, axis: number): number {
    const side = this.builder.type(value).shape?.[axis];
    if (typeof side !== 'number') throw new RangeError(`Side ${axis} of "${value}" is not known.`);
    return side;
  }

  parameter(name: string, shape: readonly number[], init: Initialiser): string {
    this.#parameters.push(name);
    return this.builder.initializer(name, initialise(name, shape, init, this.#options.seed));
  }

  conv(name: string, x: string, options: ConvOptions): string {
    const { out, kernel, stride = 1, padding = (kernel - 1) / 2, groups = 1, bias = false } = options;
    const inputs = [
      x,
      this.parameter(
        `${name}.weight`,
        [out, this.side(x, 1) / groups, kernel, kernel],
        options.init ?? heFanOut(groups),
      ),
    ];
    if (bias) inputs.push(this.parameter(`${name}.bias`, [out], zero));
    const [top, left] = [2, 3].map((axis) =>
      padding === 'same' ? samePadding(this.side(x, axis), kernel, stride) : [padding, padding],
    );
    const pads = [top![0]!, left![0]!, top![1]!, left![1]!];
    const attributes = { kernel_shape: [kernel, kernel], strides: [stride, stride], pads, group: groups };
    return this.builder.op('Conv', inputs, attributes, { name });
  }

  /** Over [N, C, ...], with running statistics; whether these or the batch's are used is the trainer's choice. */
  batchNorm(
    name: string,
    x: string,
    options: { readonly epsilon?: number; readonly scale?: Initialiser } = {},
  ): string {
    const shape = [this.side(x, 1)];
    const inputs = [
      x,
      this.parameter(`${name}.weight`, shape, options.scale ?? one),
      this.parameter(`${name}.bias`, shape, zero),
      this.builder.initializer(`${name}.running_mean`, initialise('', shape, zero, 0)),
      this.builder.initializer(`${name}.running_var`, initialise('', shape, one, 0)),
    ];
    return this.builder.op('BatchNormalization', inputs, { epsilon: float(options.epsilon ?? 1e-5) }, { name });
  }

  /** Over the last axis. */
  layerNorm(name: string, x: string, epsilon: number, outputs?: readonly string[]): string {
    const rank = this.builder.type(x).shape!.length;
    const shape = [this.side(x, rank - 1)];
    const inputs = [x, this.parameter(`${name}.weight`, shape, one), this.parameter(`${name}.bias`, shape, zero)];
    return this.builder.op(
      'LayerNormalization',
      inputs,
      { axis: -1, epsilon: float(epsilon) },
      { name, ...(outputs && { outputs }) },
    );
  }

  /** A linear layer over the last axis of [..., D], with PyTorch's weight [O, D]. */
  linear(name: string, x: string, out: number, init: Initialiser): string {
    const rank = this.builder.type(x).shape!.length;
    const weight = this.parameter(`${name}.weight`, [out, this.side(x, rank - 1)], init);
    const bias = this.parameter(`${name}.bias`, [out], zero);
    const transposed = this.builder.op('Transpose', [weight], { perm: [1, 0] }, { name: `${name}.transpose` });
    const product = this.builder.op('MatMul', [x, transposed], {}, { name: `${name}.matmul` });
    return this.builder.op('Add', [product, bias], {}, { name });
  }

  activation(kind: Activation, x: string, name: string): string {
    const b = this.builder;
    if (kind === 'none') return x;
    if (kind === 'relu6') return b.op('Clip', [x, b.float(0), b.float(6)], {}, { name });
    return b.op({ relu: 'Relu', 'hard-swish': 'HardSwish', gelu: 'Gelu' }[kind], [x], {}, { name });
  }

  /** max(0, min(1, x/6 + 1/2)). */
  hardSigmoid(x: string, name: string): string {
    return this.builder.op('HardSigmoid', [x], { alpha: float(1 / 6), beta: float(0.5) }, { name });
  }

  add(name: string, x: string, y: string): string {
    return this.builder.op('Add', [x, y], {}, { name });
  }

  /** Means over height and width, [N, C]; the network's `embedding`, unless told otherwise. */
  pool(x: string, outputs: readonly string[] = ['embedding']): string {
    const pooled = this.builder.op('GlobalAveragePool', [x], {}, { name: 'global_pool' });
    return this.builder.op('Flatten', [pooled], { axis: 1 }, { name: outputs[0]!, outputs });
  }

  /** Dropout and the classifier `name` on the embedding [N, D]: ends the network. */
  classifier(name: string, embedding: string, init: Initialiser = uniformFanIn): BuiltModel {
    const b = this.builder;
    const { dropout = 0, classes, inputSize } = this.#options;
    const x = dropout === 0 ? embedding : b.op('Dropout', [embedding, b.float(dropout)], {}, { name: 'head_dropout' });
    const weight = this.parameter(`${name}.weight`, [classes, this.side(embedding, 1)], init);
    const bias = this.parameter(`${name}.bias`, [classes], zero);
    const logits = b.op('Gemm', [x, weight, bias], { transB: 1 }, { name, outputs: ['logits'] });
    b.output(logits);
    b.output(embedding);
    return {
      name: this.#name,
      graph: b.build(),
      inputSize,
      parameters: [...this.#parameters],
      metadata: new Map(),
      producer: 'gleaner',
      sourceOpset: INTERNAL_OPSET,
    };
  }
}

/** TensorFlow's SAME: [before, after] so that the output's side is ceil(side / stride). */
function samePadding(side: number, kernel: number, stride: number): [number, number] {
  const total = Math.max((Math.ceil(side / stride) - 1) * stride + kernel - side, 0);
  return [Math.floor(total / 2), Math.ceil(total / 2)];
}

/** The multiple of `divisor` nearest to `channels`, not below `limit` of it (MobileNet's `_make_divisible`). */
export function roundChannels(channels: number, divisor = 8, limit = 0.9): number {
  const rounded = Math.max(divisor, Math.floor((channels + divisor / 2) / divisor) * divisor);
  return rounded < limit * channels ? rounded + divisor : rounded;
}

function checkOptions(name: string, options: NetworkOptions): void {
  const integer = (what: string, value: number): void => {
    if (!Number.isSafeInteger(value) || value < 1)
      throw new RangeError(`${what} of ${name} must be a whole number of at least 1, got ${value}.`);
  };
  integer('classes', options.classes);
  integer('inputSize', options.inputSize);
  const { dropout = 0 } = options;
  if (!(dropout >= 0 && dropout < 1))
    throw new RangeError(`dropout of ${name} must be at least 0 and below 1, got ${dropout}.`);
}
