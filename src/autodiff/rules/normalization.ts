import { attribute, float, GRADIENT_DOMAIN } from '../../onnx/graph.ts';
import { decomposed, rule, type Differentiation, type OpContext, type RuleContext } from '../rule.ts';

/** Normalisations. x̂ is the normalised input, r the inverse deviation. */
export const normalization = {
  // Fixed statistics: y = s (x - mean) + b with s = scale r; where the graph computes them: dmean = -s Σ dy, dvar = -s/2 r² Σ dy (x - mean)
  BatchNormalization: rule((c) => {
    if (attribute(c.node, 'training_mode', 'int', 0) !== 0)
      throw c.refuse('it normalises by the statistics of the batch; prepare the graph with batchNorm first');
    const [x, scale, mean, variance] = [c.input(0), c.input(1), c.input(3), c.input(4)];
    const perChannel = c.shape(x).map((side, axis) => (axis === 1 ? side : 1));
    const deviation = c.op('Sqrt', [c.add(variance, c.scalar(attribute(c.node, 'epsilon', 'float', 1e-5)))]);
    const sum = () => c.op('ChannelSum', [c.dY], {}, GRADIENT_DOMAIN);
    const factor = () => c.div(scale, deviation);
    const dot = () => {
      const centered = c.sub(x, c.reshape(mean, perChannel));
      return c.div(c.op('ChannelDot', [c.dY, centered], {}, GRADIENT_DOMAIN), deviation);
    };
    return [
      () => c.mul(c.dY, c.reshape(factor(), perChannel)),
      dot,
      sum,
      () => c.scale(c.mul(sum(), factor()), -1),
      () => c.scale(c.div(c.mul(dot(), scale), c.square(deviation)), -0.5),
    ];
  }),
  // y = scale x̂ + b, g = scale dy: dx = r (g - mean(g) - x̂ mean(g x̂)), dscale = Σ dy x̂, db = Σ dy
  LayerNormalization: rule(
    (c) => {
      const [x, scale] = [c.input(0), c.input(1)];
      const rank = c.rank(x);
      const axis = attribute(c.node, 'axis', 'int', -1);
      const first = axis < 0 ? axis + rank : axis;
      const axes = Array.from({ length: rank - first }, (_, i) => first + i);
      let cached: string | undefined;
      // The statistics are kept in float32 whatever x is.
      const statistic = (index: number): string => {
        const name = c.output(index);
        return c.builder.type(name).dtype === c.dtype ? name : c.toFloat(name);
      };
      const [mean, inverse] = [statistic(1), statistic(2)];
      const normalised = () => (cached ??= c.mul(c.sub(x, mean), inverse));
      return [
        () => {
          const g = c.mul(c.dY, scale);
          const tilted = c.mul(normalised(), c.reduce('ReduceMean', c.mul(g, normalised()), axes));
          return c.mul(c.sub(c.sub(g, c.reduce('ReduceMean', g, axes)), tilted), inverse);
        },
        () => c.mul(c.dY, normalised()),
        () => c.dY,
      ];
    },
    { outputs: 3 },
  ),
  // y = scale x / √(mean(x²) + ε)
  RMSNormalization: decomposed(rootMeanSquare),
  // Over groups of channels: [N, G, -1], then a scale and bias a channel
  GroupNormalization: decomposed((c) => {
    const shape = c.shape(c.input(0));
    const groups = attribute(c.node, 'num_groups', 'int');
    const flat = c.reshape(c.input(0), [shape[0]!, groups, shape.slice(1).reduce((p, side) => p * side, 1) / groups]);
    return [perChannelAffine(c, c.reshape(standardised(c, flat, [2]), shape))];
  }),
  // Over the image of each channel
  InstanceNormalization: decomposed((c) => {
    const axes = c.shape(c.input(0)).flatMap((_, axis) => (axis >= 2 ? [axis] : []));
    return [perChannelAffine(c, standardised(c, c.input(0), axes))];
  }),
  // (x - mean) / (deviation + 1e-9), as ONNX defines it
  MeanVarianceNormalization: decomposed((c) => {
    const axes = attribute(c.node, 'axes', 'ints', [0, 2, 3]);
    const centered = c.sub(c.input(0), c.reduce('ReduceMean', c.input(0), axes));
    const deviation = c.op('Sqrt', [c.reduce('ReduceMean', c.square(centered), axes)]);
    return [c.div(centered, c.add(deviation, c.scalar(1e-9)))];
  }),
  // x / |x|, the norm along one axis
  LpNormalization: decomposed((c) => {
    const axes = c.ints([attribute(c.node, 'axis', 'int', -1)]);
    const norm = attribute(c.node, 'p', 'int', 2) === 1 ? 'ReduceL1' : 'ReduceL2';
    return [c.div(c.input(0), c.op(norm, [c.input(0), axes], { keepdims: 1 }))];
  }),
  // x / (bias + α/size Σ x²)^β, the sum over `size` neighbouring channels: a padded mean times α
  LRN: decomposed((c) => {
    const [n, channels, ...spatial] = c.shape(c.input(0)) as [number, number, ...number[]];
    const size = attribute(c.node, 'size', 'int');
    const columns = spatial.reduce((product, side) => product * side, 1);
    const before = Math.floor((size - 1) / 2);
    const squares = c.reshape(c.square(c.input(0)), [n, 1, channels, columns]);
    const mean = c.op('AveragePool', [squares], {
      kernel_shape: [size, 1],
      pads: [before, 0, size - 1 - before, 0],
      count_include_pad: 1,
    });
    const scaled = c.scale(c.reshape(mean, [n, channels, ...spatial]), attribute(c.node, 'alpha', 'float', 1e-4));
    const base = c.add(scaled, c.scalar(attribute(c.node, 'bias', 'float', 1)));
    return [c.div(c.input(0), c.op('Pow', [base, c.scalar(attribute(c.node, 'beta', 'float', 0.75))]))];
  }),
} satisfies Record<string, Differentiation>;

/** What ONNX Runtime keeps in ONNX's own domain without its being part of ONNX. */
export const engineNormalization = {
  SimplifiedLayerNormalization: decomposed(rootMeanSquare),
} satisfies Record<string, Differentiation>;

/** ONNX Runtime's fused forms of the same. */
export const fusedNormalization = {
  // Layer normalisation of a sum; the sum is the fourth output
  SkipLayerNormalization: decomposed((c) => {
    let sum = c.add(c.input(0), c.input(1));
    const bias = c.optional(4);
    if (bias !== undefined) sum = c.add(sum, bias);
    const epsilon = float(attribute(c.node, 'epsilon', 'float', 1e-12));
    const inputs = [sum, c.input(2), c.optional(3) ?? ''];
    const [y, mean, deviation] = c.ops('LayerNormalization', inputs, 3, { axis: -1, epsilon });
    return [y, mean, deviation, sum];
  }),
  SkipSimplifiedLayerNormalization: decomposed((c) => {
    let sum = c.add(c.input(0), c.input(1));
    const bias = c.optional(3);
    if (bias !== undefined) sum = c.add(sum, bias);
    const deviation = deviationOf(c, c.reduce('ReduceMean', c.square(sum), [-1]), 1e-12);
    return [c.mul(c.div(sum, deviation), c.input(2)), undefined, undefined, sum];
  }),
} satisfies Record<string, Differentiation>;

/** Batch normalisation on the statistics of the batch, as `prepare` states it. */
export const batchNormTraining = {
  BatchNormTraining: rule(
    (c) => {
      let all: string[] | undefined;
      const gradients = () => (all ??= batchNormGradients(c));
      return [() => gradients()[0], () => gradients()[1], () => gradients()[2]];
    },
    { outputs: 3 },
  ),
} satisfies Record<string, Differentiation>;

function batchNormGradients(c: RuleContext): string[] {
  const inputs = [c.dY, c.input(0), c.input(1), c.output(1), c.output(2)];
  const epsilon = float(attribute(c.node, 'epsilon', 'float', 1e-5));
  return c.ops('BatchNormTrainingGrad', inputs, 3, { epsilon }, GRADIENT_DOMAIN);
}

function rootMeanSquare(c: OpContext): string[] {
  const x = c.input(0);
  const rank = c.rank(x);
  const axis = attribute(c.node, 'axis', 'int', -1);
  const first = axis < 0 ? axis + rank : axis;
  const axes = Array.from({ length: rank - first }, (_, i) => first + i);
  const deviation = deviationOf(c, c.reduce('ReduceMean', c.square(x), axes), 1e-5);
  return [c.mul(c.div(x, deviation), c.input(1))];
}

function standardised(c: OpContext, x: string, axes: readonly number[]): string {
  const centered = c.sub(x, c.reduce('ReduceMean', x, axes));
  return c.div(centered, deviationOf(c, c.reduce('ReduceMean', c.square(centered), axes), 1e-5));
}

function deviationOf(c: OpContext, variance: string, epsilon: number): string {
  return c.op('Sqrt', [c.add(variance, c.scalar(attribute(c.node, 'epsilon', 'float', epsilon)))]);
}

/** y scale + bias, given a channel each as inputs 1 and 2. */
function perChannelAffine(c: OpContext, y: string): string {
  const perChannel = c.shape(y).map((side, axis) => (axis === 1 ? side : 1));
  return c.add(c.mul(y, c.reshape(c.input(1), perChannel)), c.reshape(c.input(2), perChannel));
}
