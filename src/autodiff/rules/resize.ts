import { toNumbers } from '../../core/tensor.ts';
import { attribute, floats, GRADIENT_DOMAIN, ints, type Attribute } from '../../onnx/graph.ts';
import { refused, unary, type Differentiation, type RuleContext } from '../rule.ts';

/** Resampling. */
export const resampling = {
  // Resizing is linear: dx = Rᵀ dy
  Resize: unary((c, x) => {
    if (attribute(c.node, 'coordinate_transformation_mode', 'string', 'half_pixel') === 'tf_crop_and_resize')
      throw c.refuse('Resize with tf_crop_and_resize has no gradient rule');
    const attributes: Record<string, Attribute> = { ...c.node.attributes };
    delete attributes['axes'];
    delete attributes['keep_aspect_ratio_policy'];
    return c.op(
      'ResizeGrad',
      [c.dY],
      { ...attributes, input_shape: ints(c.shape(x)), scales: floats(scalesOf(c, x)) },
      GRADIENT_DOMAIN,
    );
  }),
  Upsample: refused('Upsample left ONNX with opset 10; it is lifted to Resize when a model is loaded'),
} satisfies Record<string, Differentiation>;

/** The scale of every axis: as given, or output side over input side. */
function scalesOf(c: RuleContext, x: string): number[] {
  const shape = c.shape(x);
  const axes = attribute(
    c.node,
    'axes',
    'ints',
    shape.map((_, axis) => axis),
  ).map((axis) => (axis < 0 ? axis + shape.length : axis));
  const scales = shape.map(() => 1);
  const given = c.optional(2) === undefined ? [] : toNumbers(c.constant(2, 'scales'));
  if (given.length > 0) {
    for (const [i, axis] of axes.entries()) scales[axis] = given[i]!;
    return scales;
  }
  const sizes = toNumbers(c.constant(3, 'sizes'));
  const ratios = axes.map((axis, i) => sizes[i]! / shape[axis]!);
  const policy = attribute(c.node, 'keep_aspect_ratio_policy', 'string', 'stretch');
  const common = policy === 'not_larger' ? Math.min(...ratios) : Math.max(...ratios);
  for (const [i, axis] of axes.entries()) scales[axis] = policy === 'stretch' ? ratios[i]! : common;
  return scales;
}
