import { toNumbers } from '../../core/tensor.ts';
import { GRADIENT_DOMAIN, NCHWC_DOMAIN, type Node } from '../../onnx/graph.ts';
import { Emitter, product } from '../emitter.ts';
import { toView } from '../forms.ts';
import { Layout } from '../layout.ts';
import { plainLowerings } from '../plain/table.ts';
import type { LoweringTable, Site } from '../lowering.ts';
import type { Arrangement, ArrangementRule } from './arrangement.ts';
import { affine } from './normalization.ts';
import { atZero, isElementwise } from './elementwise.ts';
import { sameShape } from './preferences.ts';

/**
 * Element-wise ops stay in the layout that one of their operands already has: activations in blocks of
 * channels, weights in the layout of their convolution.
 */
export const elementwiseRule: ArrangementRule = (node, a) => {
  if (!isElementwise(node) || node.domain === NCHWC_DOMAIN || node.outputs.length !== 1) return false;
  const full = a.shapeOf(node.outputs[0]!);
  if (full?.length !== 4) return false;
  const operands = node.inputs.map((value) => operandOf(value, full, a));
  const leader = operands.find((operand) => operand?.kind === 'full' && a.forms.blockedLayout(operand.value));
  if (leader === undefined || operands.includes(undefined)) return false;
  const layout = a.forms.layout(a.forms.blockedLayout(leader.value)!);
  const known = operands as readonly Operand[];
  const clean = known.map(({ kind, value }) =>
    kind === 'full' ? !a.forms.has(value, layout.name) || a.forms.isClean(value, layout.name) : kind !== 'scalar',
  );
  const fate = atZero(node, clean, (i) => numberOf(a, node.inputs[i]));
  if (fate === 'undefined' && !layout.isExact(full)) return false;
  const e = new Emitter(a.builder, node.name);
  const name = emitByChannel(e, node, known, full, layout, a) ?? emitOnViews(e, node, known, full, layout, a);
  a.declare(node.outputs[0]!, { name, layout: layout.name, clean: fate === 'zero' });
  return true;
};

interface Operand {
  readonly value: string;
  /**
   * `full`: of the output's shape. `scalar`: one number. `channel`: one number a channel (the outputs' of a
   * weight). `image`: one number an image and channel. `other`: any other broadcast.
   */
  readonly kind: 'full' | 'scalar' | 'channel' | 'image' | 'other' | 'absent';
  /** Of rank 4. */
  readonly shape: readonly number[];
}

/** Undefined where the operand can't be laid out. */
function operandOf(value: string, full: readonly number[], a: Arrangement): Operand | undefined {
  if (value === '') return { value, kind: 'absent', shape: [] };
  const own = a.shapeOf(value);
  if (own === undefined || own.length > 4 || !a.isFloat32(value)) return undefined;
  if (sameShape(own, full)) return { value, kind: 'full', shape: own };
  if (product(own) === 1) return { value, kind: 'scalar', shape: [1, 1, 1, 1] };
  const shape = [...full.slice(own.length).map(() => 1), ...own];
  const [n, c, ...rest] = shape as [number, number, ...number[]];
  if (rest.every((side) => side === 1)) {
    if (n === 1) return { value, kind: 'channel', shape };
    if (c > 1) return { value, kind: 'image', shape };
  }
  return { value, kind: 'other', shape };
}

/**
 * Products and sums with one number a channel are depthwise 1x1 convolutions: broadcasting runs of B
 * elements costs far more.
 */
function emitByChannel(
  e: Emitter,
  node: Node,
  operands: readonly Operand[],
  full: readonly number[],
  layout: Layout,
  a: Arrangement,
): string | undefined {
  if (operands.length !== 2 || !['Mul', 'Add', 'Sub', 'Div'].includes(node.opType)) return undefined;
  const first = operands.findIndex((operand) => operand.kind === 'full');
  const other = operands[1 - first]!;
  if (node.opType === 'Div' && first === 1) return undefined;
  const isWeight = layout.name !== 'channels';
  const perOutput = isWeight && other.shape[0] !== 1 && other.shape.slice(1).every((side) => side === 1);
  const x = (): string => a.forms.get(operands[first]!.value, layout.name);
  if (perOutput || (!isWeight && other.kind === 'channel' && other.shape[1] === full[1])) {
    const count = full[isWeight ? 0 : 1]!;
    const vector = e.reshape(a.forms.get(other.value, 'plain'), [count]);
    const stored = layout.storedShape(full);
    // A weight is an image whose channels are its outputs.
    const shape = isWeight ? [1, count, 1, product(stored.slice(1))] : full;
    const image = isWeight ? e.reshape(x(), [1, stored[0]!, 1, shape[3]!]) : x();
    const blocks = new Layout('channels', layout.block);
    const one = (): string => e.filled([count], () => 1);
    const negative = (): string => e.filled([count], () => -1);
    const made =
      node.opType === 'Mul'
        ? affine(e, image, vector, undefined, shape, blocks)
        : node.opType === 'Div'
          ? affine(e, image, e.op('Reciprocal', [vector]), undefined, shape, blocks)
          : node.opType === 'Add'
            ? affine(e, image, one(), vector, shape, blocks)
            : first === 0
              ? affine(e, image, one(), e.op('Neg', [vector]), shape, blocks)
              : affine(e, image, negative(), vector, shape, blocks);
    return isWeight ? e.reshape(made, stored) : made;
  }
  if (!isWeight && other.kind === 'image' && other.shape[1] === full[1] && node.opType === 'Mul') {
    const [n, stored, ...sides] = layout.storedShape(full) as [number, number, ...number[]];
    const gate = e.reshape(imageVector(e, other, a), [n * stored, 1, 1, 1]);
    const image = e.reshape(x(), [1, n * stored, ...sides]);
    const made = e.nchwc('Conv', [image, gate], { kernel_shape: [1, 1], group: n * stored });
    return e.reshape(made, [n, stored, ...sides]);
  }
  return undefined;
}

/** [N, C, 1, 1] in blocks, with zeros at padded channels. */
function imageVector(e: Emitter, operand: Operand, a: Arrangement): string {
  if (sameShape(a.shapeOf(operand.value), operand.shape)) return a.forms.get(operand.value, 'channels', true);
  const layout = a.forms.layout('channels');
  return e.reshape(
    toView(e, a.forms.get(operand.value, 'plain'), operand.shape, operand.shape, layout),
    layout.storedShape(operand.shape),
  );
}

/** The op itself, on stored tensors where all have one shape, else on views that broadcast. */
function emitOnViews(
  e: Emitter,
  node: Node,
  operands: readonly Operand[],
  full: readonly number[],
  layout: Layout,
  a: Arrangement,
): string {
  const broadcasts = operands.some(({ kind }) => kind !== 'full' && kind !== 'scalar' && kind !== 'absent');
  const inputs = operands.map((operand): string => {
    if (operand.kind === 'absent') return '';
    if (operand.kind === 'scalar') return a.forms.get(operand.value, 'plain');
    if (operand.kind === 'full') {
      const stored = a.forms.get(operand.value, layout.name);
      return broadcasts ? e.reshape(stored, layout.viewShape(full)) : stored;
    }
    if (layout.name === 'channels' && operand.kind === 'image' && a.forms.has(operand.value, 'channels'))
      return e.reshape(a.forms.get(operand.value, 'channels', true), layout.viewShape(operand.shape, full));
    return toView(e, a.forms.get(operand.value, 'plain'), operand.shape, full, layout);
  });
  const made = emitOp(e, node, inputs);
  return broadcasts ? e.reshape(made, layout.storedShape(full)) : made;
}

function emitOp(e: Emitter, node: Node, inputs: readonly string[]): string {
  if (node.domain === GRADIENT_DOMAIN) {
    const table: LoweringTable = plainLowerings;
    // Element-wise lowerings look at attributes alone.
    const site: Site = { node, shapes: [], dtypes: [], outputShapes: [], constant: () => undefined };
    return table[node.opType]![0]!.emit(e, inputs, site)[0]!;
  }
  return e.builder.op(node.opType, inputs, node.attributes, { name: node.name, domain: node.domain });
}

function numberOf(a: Arrangement, value: string | undefined): number | undefined {
  const constant = value === undefined || value === '' ? undefined : a.constant(value);
  return constant?.data.length === 1 ? toNumbers(constant)[0] : undefined;
}
