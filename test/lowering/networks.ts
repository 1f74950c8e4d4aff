import { randomStream, type RandomStream } from '../../src/core/random.ts';
import { fromNumbers, type Tensor } from '../../src/core/tensor.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { float, GRADIENT_DOMAIN, type Graph } from '../../src/onnx/graph.ts';

/** Networks in the small, written layer by layer, with random weights: images `x`, logits `logits`. */
export class Network {
  readonly b: GraphBuilder;
  readonly parameters: string[] = [];
  readonly #stream: RandomStream;
  #count = 0;

  constructor(name: string) {
    this.b = new GraphBuilder(name);
    this.#stream = randomStream('network', name);
  }

  input(shape: readonly number[]): string {
    return this.b.input('x', 'float32', shape);
  }

  parameter(name: string, shape: readonly number[], deviation: number, mean = 0): string {
    this.parameters.push(name);
    return this.b.initializer(name, this.random(shape, deviation, mean));
  }

  random(shape: readonly number[], deviation: number, mean = 0): Tensor {
    const size = shape.reduce((a, b) => a * b, 1);
    return fromNumbers(
      'float32',
      shape,
      Array.from({ length: size }, () => mean + deviation * this.#stream.normal()),
    );
  }

  conv(
    x: string,
    out: number,
    kernel: number,
    options: { stride?: number; group?: number; bias?: boolean } = {},
  ): string {
    const { stride = 1, group = 1, bias = true } = options;
    const name = `conv${this.#count++}`;
    const channels = this.b.shape(x)[1]! / group;
    const w = this.parameter(
      `${name}.weight`,
      [out, channels, kernel, kernel],
      Math.sqrt(2 / (channels * kernel * kernel)),
    );
    const inputs = bias ? [x, w, this.parameter(`${name}.bias`, [out], 0.1)] : [x, w];
    const p = Math.floor(kernel / 2);
    return this.b.op(
      'Conv',
      inputs,
      { kernel_shape: [kernel, kernel], strides: [stride, stride], pads: [p, p, p, p], group },
      { name },
    );
  }

  /** A convolution with a frozen batch norm folded in, as `autodiff/prepare` writes it. */
  foldedConv(x: string, out: number, kernel: number, options: { stride?: number; group?: number } = {}): string {
    const { stride = 1, group = 1 } = options;
    const name = `conv${this.#count++}`;
    const channels = this.b.shape(x)[1]! / group;
    const w = this.parameter(
      `${name}.weight`,
      [out, channels, kernel, kernel],
      Math.sqrt(2 / (channels * kernel * kernel)),
    );
    const scale = this.parameter(`${name}.scale`, [out], 0.1, 1);
    const shift = this.parameter(`${name}.shift`, [out], 0.1);
    const mean = this.b.constant(this.random([out], 0.1));
    const variance = this.b.constant(this.random([out], 0.05, 1));
    const s = this.b.op('Div', [scale, this.b.op('Sqrt', [this.b.op('Add', [variance, this.b.float(1e-5)])])]);
    const folded = this.b.op('Mul', [w, this.b.op('Reshape', [s, this.b.int([out, 1, 1, 1])])]);
    const bias = this.b.op('Sub', [shift, this.b.op('Mul', [mean, s])]);
    const p = Math.floor(kernel / 2);
    const attributes = { kernel_shape: [kernel, kernel], strides: [stride, stride], pads: [p, p, p, p], group };
    return this.b.op('Conv', [x, folded, bias], attributes, { name });
  }

  /** On the batch's statistics. */
  batchNorm(x: string): string {
    const channels = this.b.shape(x)[1]!;
    const name = `norm${this.#count++}`;
    const inputs = [
      x,
      this.parameter(`${name}.scale`, [channels], 0.1, 1),
      this.parameter(`${name}.shift`, [channels], 0.1),
    ];
    return this.b.ops(
      'BatchNormTraining',
      inputs,
      { epsilon: float(1e-5) },
      { domain: GRADIENT_DOMAIN, name, outputCount: 3 },
    )[0]!;
  }

  op(opType: string, inputs: readonly string[], attributes = {}): string {
    return this.b.op(opType, inputs, attributes);
  }

  relu6(x: string): string {
    return this.b.op('Clip', [x, this.b.float(0), this.b.float(6)]);
  }

  /** Pools, classifies, and ends the network with its mean cross-entropy against labels [N, classes]. */
  finish(x: string, classes: number): Graph {
    const [n, channels] = this.b.shape(x) as [number, number];
    const pooled = this.b.op('Flatten', [this.b.op('GlobalAveragePool', [x])], { axis: 1 });
    const w = this.parameter('head.weight', [classes, channels], 1 / Math.sqrt(channels));
    const bias = this.parameter('head.bias', [classes], 0.1);
    const logits = this.b.op('Gemm', [pooled, w, bias], { transB: 1 }, { outputs: ['logits'] });
    const labels = this.b.input('labels', 'float32', [n, classes]);
    const products = this.b.op('Mul', [labels, this.b.op('LogSoftmax', [logits], { axis: 1 })]);
    const sum = this.b.op('ReduceSum', [products, this.b.int([0, 1])], { keepdims: 0 });
    this.b.output(logits);
    this.b.output(this.b.op('Mul', [sum, this.b.float(-1 / n)], {}, { outputs: ['loss'] }));
    return this.b.build();
  }

  /** Images and one-hot labels for the finished network. */
  feeds(graph: Graph): Record<string, Tensor> {
    return Object.fromEntries(
      graph.inputs.map(({ name, type }): [string, Tensor] => {
        const shape = type.shape as number[];
        if (name !== 'labels') return [name, this.random(shape, 1)];
        const [count, classes] = shape as [number, number];
        const hot = Array.from({ length: count * classes }, (_, i) => {
          const label = (3 * Math.floor(i / classes)) % classes;
          return i % classes === label ? 1 : 0;
        });
        return [name, fromNumbers('float32', shape, hot)];
      }),
    );
  }
}

type Build = (net: Network) => Graph;

/** MobileNetV2's blocks: (expansion, channels, repeats, stride). */
export function mobilenetV2(
  net: Network,
  batch: number,
  side: number,
  width = 1,
  table = MOBILENET_V2,
  folded = true,
): Graph {
  const conv = (x: string, out: number, kernel: number, options: { stride?: number; group?: number } = {}): string =>
    folded
      ? net.foldedConv(x, out, kernel, options)
      : net.batchNorm(net.conv(x, out, kernel, { ...options, bias: false }));
  const round = (channels: number): number => Math.max(8, Math.round((channels * width) / 8) * 8);
  let x = net.relu6(conv(net.input([batch, 3, side, side]), round(32), 3, { stride: 2 }));
  for (const [expansion, channels, repeats, firstStride] of table)
    for (let i = 0; i < repeats; i++) {
      const stride = i === 0 ? firstStride : 1;
      const before = net.b.shape(x)[1]!;
      const hidden = before * expansion;
      let y = expansion === 1 ? x : net.relu6(conv(x, hidden, 1));
      y = net.relu6(conv(y, hidden, 3, { stride, group: hidden }));
      y = conv(y, round(channels), 1);
      x = stride === 1 && before === round(channels) ? net.op('Add', [x, y]) : y;
    }
  x = net.relu6(conv(x, Math.max(1280, round(1280)), 1));
  return net.finish(x, 10);
}

const MOBILENET_V2: readonly (readonly [number, number, number, number])[] = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
];

/** ResNet-18 for small images, on batch statistics. */
export function resnet18(net: Network, batch: number, width: number, side = 32, stages = 4): Graph {
  let x = net.op('Relu', [net.batchNorm(net.conv(net.input([batch, 3, side, side]), width, 3, { bias: false }))]);
  for (let stage = 0; stage < stages; stage++)
    for (let i = 0; i < 2; i++) {
      const out = width * 2 ** stage;
      const stride = i === 0 && stage > 0 ? 2 : 1;
      const shortcut = stride > 1 ? net.batchNorm(net.conv(x, out, 1, { stride, bias: false })) : x;
      let y = net.op('Relu', [net.batchNorm(net.conv(x, out, 3, { stride, bias: false }))]);
      y = net.batchNorm(net.conv(y, out, 3, { bias: false }));
      x = net.op('Relu', [net.op('Add', [y, shortcut])]);
    }
  return net.finish(x, 10);
}

/** Small networks that between them hold what the layout pass treats differently. */
export const NETWORKS: Readonly<Record<string, Build>> = {
  'inverted residuals, folded norms': (net) =>
    mobilenetV2(net, 2, 32, 0.5, [
      [1, 16, 1, 1],
      [6, 24, 2, 2],
      [4, 40, 2, 2],
    ]),
  'inverted residuals, batch statistics': (net) =>
    mobilenetV2(
      net,
      3,
      32,
      0.5,
      [
        [1, 16, 1, 1],
        [6, 24, 2, 2],
      ],
      false,
    ),
  'residuals, batch statistics': (net) => resnet18(net, 4, 8, 16, 3),
  'channels that are no whole blocks': (net) => {
    let x = net.op('Relu', [net.conv(net.input([2, 3, 9, 9]), 10, 3)]);
    x = net.op('Sigmoid', [net.conv(x, 13, 3)]);
    x = net.op('Add', [net.conv(x, 13, 1), x]);
    x = net.op('HardSwish', [net.conv(x, 6, 3, { stride: 2 })]);
    x = net.op('LeakyRelu', [net.conv(x, 6, 3, { group: 6 })], { alpha: float(0.1) });
    return net.finish(net.op('Exp', [net.conv(x, 7, 3)]), 5);
  },
  'squeeze and excitation': (net) => {
    let x = net.op('HardSwish', [net.foldedConv(net.input([2, 3, 12, 12]), 20, 3, { stride: 2 })]);
    for (const pool of ['GlobalAveragePool', 'ReduceMean']) {
      const axes = pool === 'ReduceMean' ? [net.b.int([2, 3])] : [];
      const squeezed = net.op(pool, [x, ...axes], pool === 'ReduceMean' ? { keepdims: 1 } : {});
      const gate = net.op('HardSigmoid', [net.conv(net.op('Relu', [net.conv(squeezed, 6, 1)]), 20, 1)]);
      x = net.op('Mul', [x, gate]);
      x = net.op('Mul', [net.foldedConv(x, 20, 5, { group: 20 }), net.op('Sigmoid', [x])]);
    }
    return net.finish(x, 5);
  },
  'branches, pools and concatenation': (net) => {
    const x = net.op('Relu', [net.conv(net.input([2, 3, 16, 16]), 16, 3)]);
    const window = { kernel_shape: [3, 3], strides: [1, 1], pads: [1, 1, 1, 1] };
    const parts = [
      net.op('Relu', [net.conv(x, 8, 1)]),
      net.conv(net.op('MaxPool', [x], window), 24, 1),
      net.conv(net.op('AveragePool', [x], window), 12, 3),
    ];
    let y = net.op('Relu', [net.conv(net.op('Concat', parts, { axis: 1 }), 16, 1)]);
    y = net.op('MaxPool', [y], { kernel_shape: [2, 2], strides: [2, 2] });
    const pads = net.b.int([0, 0, 0, 0, 0, 0, 1, 1]);
    const padded = net.op('Pad', [y, pads]);
    const w = net.parameter('strided.weight', [16, 16, 3, 3], 0.1);
    y = net.op('Conv', [padded, w], { kernel_shape: [3, 3], strides: [2, 2] });
    const [left, right] = net.b.ops('Split', [y], { axis: 1, num_outputs: 2 }, { outputCount: 2 });
    y = net.op('Mul', [net.op('Tanh', [left!]), net.op('Softplus', [right!])]);
    return net.finish(net.conv(y, 16, 3, { group: 2 }), 5);
  },
  'shortcuts by slices and zeros': (net) => {
    const x = net.op('Relu', [net.conv(net.input([2, 3, 9, 8]), 8, 3)]);
    const last = net.b.constant({ dtype: 'int64', shape: [1], data: BigInt64Array.of(2n ** 63n - 1n) });
    const rows = net.op('Slice', [x, net.b.int([0]), last, net.b.int([2]), net.b.int([2])]);
    const pixels = net.op('Slice', [rows, net.b.int([0]), last, net.b.int([3]), net.b.int([2])]);
    const shortcut = net.op('Pad', [pixels, net.b.int([0, 4, 0, 0, 0, 4, 0, 0])]);
    let y = net.op('Add', [net.conv(x, 16, 3, { stride: 2 }), shortcut]);
    y = net.op('Add', [net.conv(y, 32, 3), net.op('Pad', [y, net.b.int([0, 8, 0, 0, 0, 8, 0, 0])])]);
    const w = net.parameter('same.weight', [8, 32, 2, 2], 0.1);
    y = net.op('Conv', [net.op('Relu', [y]), w], { kernel_shape: [2, 2], auto_pad: 'SAME_UPPER' });
    y = net.op('MaxPool', [y], { kernel_shape: [2, 2], strides: [2, 2], auto_pad: 'SAME_LOWER' });
    return net.finish(y, 5);
  },
  'channels last in between': (net) => {
    let x = net.conv(net.input([2, 3, 16, 16]), 16, 4, { stride: 4 });
    const y = net.op('Transpose', [net.conv(x, 16, 7, { group: 16 })], { perm: [0, 2, 3, 1] });
    const scale = net.parameter('layer.scale', [16], 0.1, 1);
    const shift = net.parameter('layer.shift', [16], 0.1);
    const normal = net.op('LayerNormalization', [y, scale, shift], { axis: -1 });
    const wide = net.op('Gelu', [net.op('MatMul', [normal, net.parameter('wide.weight', [16, 64], 0.25)])]);
    const narrow = net.op('MatMul', [wide, net.parameter('narrow.weight', [64, 16], 0.1)]);
    x = net.op('Add', [x, net.op('Transpose', [narrow], { perm: [0, 3, 1, 2] })]);
    return net.finish(net.conv(x, 24, 2, { stride: 2 }), 5);
  },
};
