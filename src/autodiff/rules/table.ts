import { GRADIENT_DOMAIN, MICROSOFT_DOMAIN, ONNX_DOMAIN, type Node } from '../../onnx/graph.ts';
import type { OnnxOp } from '../op-types.ts';
import { refused, unary, zero, type Differentiation } from '../rule.ts';
import { activations, fusedActivations } from './activations.ts';
import { arithmetic } from './arithmetic.ts';
import { attention, fusedAttention } from './attention.ts';
import { convolution, fusedConvolution } from './convolution.ts';
import { einsum } from './einsum.ts';
import { elementary } from './elementary.ts';
import { gridSampling } from './grid-sample.ts';
import { indexing } from './indexing.ts';
import { losses } from './losses.ts';
import { batchNormTraining, engineNormalization, fusedNormalization, normalization } from './normalization.ts';
import { pooling } from './pooling.ts';
import { fusedProducts, products } from './products.ts';
import { rearranging } from './rearranging.ts';
import { reductions } from './reductions.ts';
import { resampling } from './resize.ts';
import { rotary } from './rotary.ts';

const integer = refused('it computes in integers; train the floating-point model and quantize at export');
const control = refused('control flow serves inference only');
const recurrent = refused('recurrent layers have no gradient rule');
const sequence = refused('sequences have no gradient rule');
const drawn = refused('it draws its own random numbers, which can not be rewound');
const rare = refused('it has no gradient rule');

/** ONNX's own operators. A missing one is a compile error. */
const onnx = {
  ...elementary,
  ...activations,
  ...arithmetic,
  ...attention,
  ...convolution,
  ...einsum,
  ...engineNormalization,
  ...gridSampling,
  ...indexing,
  ...losses,
  ...normalization,
  ...pooling,
  ...products,
  ...rearranging,
  ...reductions,
  ...resampling,
  ...rotary,
  // In inference it passes everything; in training, the mask is a graph input after `prepare`.
  Dropout: unary((c) => {
    const training = c.optional(2);
    if (training !== undefined && c.constant(2, 'training_mode').data[0])
      throw c.refuse('it drops at random; prepare the graph with dropout first');
    return c.dY;
  }),

  And: zero,
  BitCast: zero,
  BitShift: zero,
  BitwiseAnd: zero,
  BitwiseNot: zero,
  BitwiseOr: zero,
  BitwiseXor: zero,
  BlackmanWindow: zero,
  Constant: zero,
  ConstantOfShape: zero,
  Equal: zero,
  EyeLike: zero,
  Greater: zero,
  GreaterOrEqual: zero,
  HammingWindow: zero,
  HannWindow: zero,
  Hardmax: zero,
  IsInf: zero,
  IsNaN: zero,
  Less: zero,
  LessOrEqual: zero,
  MelWeightMatrix: zero,
  NonMaxSuppression: zero,
  Not: zero,
  Or: zero,
  Range: zero,
  RandomNormal: zero,
  RandomNormalLike: zero,
  RandomUniform: zero,
  RandomUniformLike: zero,
  RegexFullMatch: zero,
  StringConcat: zero,
  StringNormalizer: zero,
  StringSplit: zero,
  TfIdfVectorizer: zero,
  Unique: zero,
  Xor: zero,

  Bernoulli: drawn,
  Multinomial: drawn,
  ConvInteger: integer,
  DequantizeLinear: integer,
  DynamicQuantizeLinear: integer,
  MatMulInteger: integer,
  QLinearConv: integer,
  QLinearMatMul: integer,
  QuantizeLinear: integer,
  If: control,
  Loop: control,
  Scan: control,
  GRU: recurrent,
  LSTM: recurrent,
  RNN: recurrent,
  ConcatFromSequence: sequence,
  Optional: sequence,
  OptionalGetElement: sequence,
  OptionalHasElement: sequence,
  SequenceAt: sequence,
  SequenceConstruct: sequence,
  SequenceEmpty: sequence,
  SequenceErase: sequence,
  SequenceInsert: sequence,
  SequenceLength: sequence,
  SequenceMap: sequence,
  SplitToSequence: sequence,
  Compress: rare,
  CumProd: rare,
  DFT: rare,
  DeformConv: rare,
  Det: rare,
  ImageDecoder: rare,
  MaxRoiPool: rare,
  MaxUnpool: rare,
  RoiAlign: rare,
  STFT: rare,
  Scatter: rare,
  TensorScatter: rare,
} satisfies Record<OnnxOp, Differentiation>;

const microsoft: Readonly<Record<string, Differentiation>> = {
  ...fusedActivations,
  ...fusedAttention,
  ...fusedConvolution,
  ...fusedNormalization,
  ...fusedProducts,
};

const TABLES: Readonly<Record<string, Readonly<Record<string, Differentiation>>>> = {
  [ONNX_DOMAIN]: onnx,
  [MICROSOFT_DOMAIN]: microsoft,
  [GRADIENT_DOMAIN]: batchNormTraining,
};

/** How the op of a node is differentiated; an op that no table knows is refused. */
export function differentiation(node: Pick<Node, 'domain' | 'opType'>): Differentiation {
  return TABLES[node.domain]?.[node.opType] ?? unknown;
}

const unknown = refused('no gradient rule knows this op');

/** Every op that a gradient can pass through, by domain. */
export function differentiableOps(): { domain: string; opType: string }[] {
  return Object.entries(TABLES).flatMap(([domain, table]) =>
    Object.entries(table).flatMap(([opType, { kind }]) =>
      kind === 'rule' || kind === 'decomposed' ? [{ domain, opType }] : [],
    ),
  );
}

/** Whether a gradient can pass this op, or is known to be zero. For `inspect`. */
export function isDifferentiable(node: Pick<Node, 'domain' | 'opType'>): boolean {
  return differentiation(node).kind !== 'refused';
}
