import { attribute, string, type Node } from '../graph.ts';
import type { GraphBuilder } from '../builder.ts';
import type { Lift } from './lift.ts';

/**
 * Resize. Up to opset 12 all of roi, scales and sizes had to be there, empty where they did not
 * count, and exporters go on writing them so: empty ones are left out here. Opset 13 dropped the
 * transformation tf_half_pixel_for_nn.
 */
export const resize: Lift = (node, opset, builder) => {
  const inputs = node.inputs.map((name, i) => (i > 0 && isEmpty(name, builder) ? '' : name));
  const transformation = attribute(node, 'coordinate_transformation_mode', 'string', 'half_pixel');
  const cropped = transformation === 'tf_crop_and_resize';
  if (!cropped && inputs.length > 1) inputs[1] = '';
  // Both may be given where the one that does not count was kept; sizes win, as in ONNX Runtime.
  if ((inputs[3] ?? '') !== '') inputs[2] = '';
  while (inputs.at(-1) === '') inputs.pop();
  const result: Node = { ...node, inputs };
  return opset < 13 && transformation === 'tf_half_pixel_for_nn' ? asHalfPixel(result) : result;
};

function isEmpty(name: string, builder: GraphBuilder): boolean {
  return name === '' || builder.typeIfKnown(name)?.shape?.join() === '0';
}

/** tf_half_pixel_for_nn samples at (x + 0.5) / scale, half_pixel at 0.5 less: floor of the one is round-half-up of the other. */
function asHalfPixel(node: Node): Node {
  const mode = attribute(node, 'mode', 'string', 'nearest');
  const rounding = attribute(node, 'nearest_mode', 'string', 'round_prefer_floor');
  if (mode !== 'nearest' || rounding !== 'floor')
    throw new RangeError(
      `coordinate_transformation_mode tf_half_pixel_for_nn is supported with mode nearest and nearest_mode floor, got ${mode} and ${rounding}.`,
    );
  return {
    ...node,
    attributes: {
      ...node.attributes,
      coordinate_transformation_mode: string('half_pixel'),
      nearest_mode: string('round_prefer_ceil'),
    },
  };
}
