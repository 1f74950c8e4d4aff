import type { Graph } from '../../onnx/graph.ts';
import { attribute, GRADIENT_DOMAIN, ONNX_DOMAIN, type Node } from '../../onnx/graph.ts';
import { convolutionGeometry } from '../convolution-geometry.ts';
import type { LayoutName } from '../layout.ts';
import { blockedKind, weightLayout } from './convolution.ts';
import { isElementwise } from './elementwise.ts';

/**
 * The layout in which each weight is wanted: that of the convolutions that read it, directly or through
 * element-wise arithmetic of its own shape (a folded batch norm, for instance).
 */
export function wantedLayouts(
  graph: Graph,
  block: number,
  shapeOf: (value: string) => readonly number[] | undefined,
): Map<string, LayoutName> {
  const wanted = new Map<string, LayoutName>();
  for (const node of graph.nodes.toReversed()) {
    const weight = weightOf(node, block, shapeOf);
    if (weight !== undefined) {
      if (!wanted.has(weight.value)) wanted.set(weight.value, weight.layout);
      continue;
    }
    const [output] = node.outputs;
    const layout = wanted.get(output ?? '');
    if (layout === undefined || !isElementwise(node)) continue;
    const shape = shapeOf(output!);
    for (const input of node.inputs)
      if (input !== '' && !wanted.has(input) && sameShape(shapeOf(input), shape)) wanted.set(input, layout);
  }
  return wanted;
}

function weightOf(
  node: Node,
  block: number,
  shapeOf: (value: string) => readonly number[] | undefined,
): { value: string; layout: LayoutName } | undefined {
  const isForward = node.domain === ONNX_DOMAIN && node.opType === 'Conv';
  const isGradient = node.domain === GRADIENT_DOMAIN && node.opType === 'ConvGradInput';
  if (!isForward && !isGradient) return undefined;
  const value = node.inputs[1]!;
  const shape = shapeOf(value);
  const input = isForward ? shapeOf(node.inputs[0]!) : attribute(node, 'input_shape', 'ints');
  if (shape?.length !== 4 || input?.length !== 4) return undefined;
  const kind = blockedKind(input[1]!, shape, convolutionGeometry(node, shape).group, block);
  return kind === undefined ? undefined : { value, layout: weightLayout(kind) };
}

export function sameShape(a: readonly number[] | undefined, b: readonly number[] | undefined): boolean {
  return a !== undefined && b !== undefined && a.length === b.length && a.every((side, i) => side === b[i]);
}
