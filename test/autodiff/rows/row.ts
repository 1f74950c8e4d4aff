import { randomStream } from '../../../src/core/random.ts';
import { fromNumbers, sizeOf, type Tensor } from '../../../src/core/tensor.ts';
import { GraphBuilder, type AttributeInput } from '../../../src/onnx/builder.ts';
import { MICROSOFT_DOMAIN, type Graph } from '../../../src/onnx/graph.ts';

/** How an input of a row is filled: a floating one by its shape (normal numbers) or a range, others as they are. */
export type Operand = readonly number[] | Range | Tensor | undefined;

interface Range {
  readonly shape: readonly number[];
  readonly low: number;
  readonly high: number;
}

/** One op in one variety: its inputs are drawn, its gradient is checked by every floating one. */
export interface Row {
  readonly op: string;
  readonly what: string;
  readonly inputs: readonly Operand[];
  readonly attributes: Record<string, AttributeInput>;
  readonly outputs: number;
  /** Outputs that the loss depends on; default all floating ones. */
  readonly differentiated?: readonly number[];
  readonly domain?: string;
  /** Why ONNX Runtime is no witness for this row's forward value. */
  readonly engineDiffers?: string;
}

type Extra = Partial<Pick<Row, 'outputs' | 'differentiated' | 'domain' | 'engineDiffers'>>;

/** Shorthand for a row of one op. */
export function row(
  op: string,
  what: string,
  inputs: readonly Operand[],
  attributes: Record<string, AttributeInput> = {},
  extra: Extra = {},
): Row {
  return { op, what, inputs, attributes, outputs: 1, ...extra };
}

export const between = (low: number, high: number, shape: readonly number[] = [2, 3]): Range => ({ shape, low, high });
export const float64 = (values: readonly number[], shape: readonly number[] = [values.length]): Tensor =>
  fromNumbers('float64', shape, values);
export const scalar = (value: number): Tensor => float64([value], []);
export const bools = (values: readonly number[], shape: readonly number[]): Tensor =>
  fromNumbers('bool', shape, values);
export const microsoft = { domain: MICROSOFT_DOMAIN };

export const X = [2, 3, 5, 6];

/** A graph of one node, its floating inputs `x0`, `x1`, ... of type `dtype`, and values for them. */
export function graphOf(
  { op, what, inputs, attributes, outputs, domain }: Row,
  dtype: 'float64' | 'float32' = 'float64',
): { graph: Graph; feeds: Map<string, Tensor> } {
  const builder = new GraphBuilder(`${op} ${what}`);
  const feeds = new Map<string, Tensor>();
  const names = inputs.map((operand, i) => {
    if (operand === undefined) return '';
    if ('dtype' in operand) {
      const isNumber = operand.dtype === 'float64';
      return builder.constant(isNumber ? fromNumbers(dtype, operand.shape, Array.from(operand.data, Number)) : operand);
    }
    const shape = 'low' in operand ? operand.shape : operand;
    const stream = randomStream('row', op, what, i);
    const draw =
      'low' in operand ? () => operand.low + (operand.high - operand.low) * stream.uniform() : () => stream.normal();
    feeds.set(`x${i}`, fromNumbers(dtype, shape, Array.from({ length: sizeOf(shape) }, draw)));
    return builder.input(`x${i}`, dtype, shape);
  });
  const results = builder.ops(op, names, attributes, {
    name: 'node',
    outputCount: outputs,
    ...(domain === undefined ? {} : { domain }),
  });
  for (const [i, name] of results.entries()) builder.output(name, `y${i}`);
  return { graph: builder.build(), feeds };
}
