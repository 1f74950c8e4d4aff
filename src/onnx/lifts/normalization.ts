import { int, attribute, string, type Node } from '../graph.ts';
import type { GraphBuilder } from '../builder.ts';
import { without, type Lift } from './lift.ts';

/** Layers whose training form, parameters or defaults changed. */

/** Opset 14: training is asked for by `training_mode`; before, by the presence of further outputs. */
export const batchNormalization: Lift = (node, opset) => {
  if (opset >= 14 || node.outputs.length === 1) return node;
  // The fourth and fifth, saved statistics, only served a gradient operator that ONNX never had.
  return { ...node, outputs: node.outputs.slice(0, 3), attributes: { ...node.attributes, training_mode: int(1) } };
};

/** Opset 12: the ratio became an input, and training is asked for by a further input. */
export const dropout: Lift = (node, opset, builder) => {
  if (opset >= 12) return node;
  const ratio = attribute(node, 'ratio', 'float', 0.5);
  return { ...node, inputs: [node.inputs[0]!, builder.float(ratio)], attributes: without(node.attributes, 'ratio') };
};

/** Opset 21: scale and bias are given per channel; before, per group. */
export const groupNormalization: Lift = (node, opset, builder) => {
  if (opset >= 21) return node;
  const [input, scale, bias] = node.inputs as [string, string, string];
  const groups = attribute(node, 'num_groups', 'int');
  const channels = builder.typeIfKnown(input)?.shape?.[1];
  if (typeof channels !== 'number')
    throw new RangeError(`the number of channels must be known to restate opset ${opset} in a newer one.`);
  const spread = (name: string, what: string): string =>
    perChannel(builder, name, groups, channels, `${node.name}/${what}`);
  return { ...node, inputs: [input, spread(scale, 'scale'), spread(bias, 'bias')] } satisfies Node;
};

/** [groups] -> [channels], each entry repeated: nodes, so that the parameter keeps its own shape. */
function perChannel(builder: GraphBuilder, name: string, groups: number, channels: number, base: string): string {
  const column = builder.op('Unsqueeze', [name, builder.int([1])], {}, { name: `${base}/column` });
  const table = builder.op(
    'Expand',
    [column, builder.int([groups, channels / groups])],
    {},
    { name: `${base}/expand` },
  );
  return builder.op('Reshape', [table, builder.int([channels])], {}, { name: base });
}

/** Opset 16: half a pixel is taken off the region's corners by default; before, never. */
export const roiAlign: Lift = (node, opset) =>
  opset >= 16
    ? node
    : {
        ...node,
        attributes: {
          ...node.attributes,
          coordinate_transformation_mode: string('output_half_pixel'),
        },
      };

/** Opset 20: the modes were renamed. */
export const gridSample: Lift = (node, opset) => {
  if (opset >= 20) return node;
  const mode = attribute(node, 'mode', 'string', 'bilinear');
  const renamed = mode === 'bilinear' ? 'linear' : mode === 'bicubic' ? 'cubic' : mode;
  return { ...node, attributes: { ...node.attributes, mode: string(renamed) } };
};
