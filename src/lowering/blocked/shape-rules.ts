import { toNumbers } from '../../core/tensor.ts';
import { attribute, ONNX_DOMAIN, type Node } from '../../onnx/graph.ts';
import { Emitter, product } from '../emitter.ts';
import type { Arrangement, ArrangementRule } from './arrangement.ts';

/** Ops that move whole channels or whole pixels, on tensors in blocks. */

/** Concat along the channels: blocks follow each other, where all but the last input are whole blocks. */
const concat: ArrangementRule = (node, a) => {
  const shapes = node.inputs.map((input) => a.shapeOf(input));
  const axis = attribute(node, 'axis', 'int');
  const blocked = node.inputs.filter((input) => a.forms.blockedLayout(input) === 'channels');
  if (blocked.length * 2 < node.inputs.length || shapes.some((shape) => shape?.length !== 4)) return false;
  const onChannels = axis === 1 || axis === -3;
  if (onChannels && shapes.slice(0, -1).some((shape) => shape![1]! % a.block !== 0)) return false;
  const e = new Emitter(a.builder, node.name);
  const layout = a.forms.layout('channels');
  const clean = node.inputs.every((input) => !a.forms.has(input, 'channels') || a.forms.isClean(input, 'channels'));
  const inputs = node.inputs.map((input) => a.forms.get(input, 'channels'));
  const output = node.outputs[0]!;
  const stored = layout.storedShape(a.shapeOf(output)!);
  const positive = axis < 0 ? axis + 4 : axis;
  const made =
    positive < 2
      ? e.op('Concat', inputs, { axis: positive })
      : e.reshape(
          e.op(
            'Concat',
            inputs.map((input, i) => e.reshape(input, layout.viewShape(shapes[i]!))),
            { axis: positive },
          ),
          stored,
        );
  a.declare(output, { name: made, layout: 'channels', clean });
  return true;
};

/** Split along the channels into whole blocks (the last part may end inside one). */
const split: ArrangementRule = (node, a) => {
  const shape = a.shapeOf(node.inputs[0]!);
  const axis = attribute(node, 'axis', 'int', 0);
  if (!isBlocked(node, a) || (axis !== 1 && axis !== -3)) return false;
  const parts = node.outputs.map((output) => a.shapeOf(output)?.[1]);
  if (parts.includes(undefined) || parts.slice(0, -1).some((part) => part! % a.block !== 0)) return false;
  const layout = a.forms.layout('channels');
  const e = new Emitter(a.builder, node.name);
  const stored = node.outputs.map((output) => layout.storedShape(a.shapeOf(output)!)[1]!);
  if (stored.reduce((x, y) => x + y, 0) !== layout.storedShape(shape!)[1]) return false;
  const sizes = e.ints(stored);
  const outputs = e.ops('Split', [a.forms.get(node.inputs[0]!, 'channels', true), sizes], { axis: 1 }, stored.length);
  for (const [i, output] of node.outputs.entries())
    if (output !== '') a.declare(output, { name: outputs[i]!, layout: 'channels', clean: true });
  return true;
};

/** Slice of rows, columns, images or whole blocks of channels. */
const slice: ArrangementRule = (node, a) => {
  const [starts, ends, given, steps] = [1, 2, 3, 4].map((i) => numbers(node, i, a));
  if (!isBlocked(node, a) || starts === undefined || ends === undefined) return false;
  if ((node.inputs[3] && given === undefined) || (node.inputs[4] && steps === undefined)) return false;
  const shape = a.shapeOf(node.inputs[0]!)!;
  const axes = (given ?? starts.map((_, i) => i)).map((axis) => (axis < 0 ? axis + 4 : axis));
  const layout = a.forms.layout('channels');
  const e = new Emitter(a.builder, node.name);
  const output = node.outputs[0]!;
  const bounds = axes.map((axis, i) => {
    const step = steps?.[i] ?? 1;
    if (axis !== 1) return { axis, start: starts[i]!, end: ends[i]!, step };
    const clamp = (value: number): number => Math.min(Math.max(value < 0 ? value + shape[1]! : value, 0), shape[1]!);
    const [start, end] = [clamp(starts[i]!), clamp(ends[i]!)];
    const whole = start % a.block === 0 && (end % a.block === 0 || end === shape[1]) && step === 1;
    return whole ? { axis, start: start / a.block, end: Math.ceil(end / a.block), step } : undefined;
  });
  if (bounds.includes(undefined)) return false;
  const view = e.reshape(a.forms.get(node.inputs[0]!, 'channels', true), layout.viewShape(shape));
  const column = (key: 'start' | 'end' | 'step'): number[] => bounds.map((bound) => bound![key]);
  const cut = e.slice(view, column('start'), column('end'), axes, column('step'));
  a.declare(output, {
    name: e.reshape(cut, layout.storedShape(a.shapeOf(output)!)),
    layout: 'channels',
    clean: true,
  });
  return true;
};

/** Zeros around the pixels, and whole blocks of zeros around the channels. */
const pad: ArrangementRule = (node, a) => {
  const pads = numbers(node, 1, a);
  const value = node.inputs[2] ? numbers(node, 2, a)?.[0] : 0;
  const plainMode = attribute(node, 'mode', 'string', 'constant') === 'constant';
  if (!isBlocked(node, a) || !plainMode || pads?.length !== 8 || node.inputs[3] || value !== 0) return false;
  const channelPads = [pads[1]!, pads[5]!];
  const shape = a.shapeOf(node.inputs[0]!)!;
  const layout = a.forms.layout('channels');
  const [first, last] = [channelPads[0]! / a.block, channelPads[1]! / a.block];
  if ((first !== 0 || last !== 0) && !(Number.isInteger(first) && Number.isInteger(last) && layout.isExact(shape)))
    return false;
  const e = new Emitter(a.builder, node.name);
  const clean = a.forms.isClean(node.inputs[0]!, 'channels');
  const view = e.reshape(a.forms.get(node.inputs[0]!, 'channels'), layout.viewShape(shape));
  const grown = e.pad(view, [pads[0]!, first, ...pads.slice(2, 4), 0], [pads[4]!, last, ...pads.slice(6), 0]);
  const output = node.outputs[0]!;
  a.declare(output, { name: e.reshape(grown, layout.storedShape(a.shapeOf(output)!)), layout: 'channels', clean });
  return true;
};

/** To channels last in one reorder. */
const transpose: ArrangementRule = (node, a) => {
  if (!isBlocked(node, a) || attribute(node, 'perm', 'ints', []).join() !== '0,2,3,1') return false;
  const shape = a.shapeOf(node.inputs[0]!)!;
  if (product(shape.slice(2)) === 1) return false;
  const e = new Emitter(a.builder, node.name);
  const name = e.nchwc('ReorderOutput', [a.forms.get(node.inputs[0]!, 'channels')], {
    channels: shape[1]!,
    channels_last: 1,
  });
  a.declare(node.outputs[0]!, { name, layout: 'plain', clean: true });
  return true;
};

const RULES: Readonly<Record<string, ArrangementRule>> = {
  Concat: concat,
  Split: split,
  Slice: slice,
  Pad: pad,
  Transpose: transpose,
};

export const shapeRule: ArrangementRule = (node, a) =>
  node.domain === ONNX_DOMAIN && (RULES[node.opType]?.(node, a) ?? false);

function isBlocked(node: Node, a: Arrangement): boolean {
  const [input] = node.inputs;
  return input !== undefined && input !== '' && a.forms.blockedLayout(input) === 'channels';
}

function numbers(node: Node, input: number, a: Arrangement): number[] | undefined {
  const value = node.inputs[input];
  const constant = value === undefined || value === '' ? undefined : a.constant(value);
  return constant === undefined ? undefined : toNumbers(constant);
}
