import { GraphBuilder } from '../onnx/builder.ts';
import { INTERNAL_OPSET, type Model } from '../onnx/graph.ts';
import { float32 } from '../core/tensor.ts';
import { toFeatureMetadata } from './description.ts';
import { parsePreprocessing } from './preprocessing.ts';

/** Cells along a side. */
const CELLS = 7;
const ORIENTATIONS = 8;
/** Deviation of the Gaussian whose derivatives are taken, in pixels. */
const BLUR = 0.7;
/** ITU-R BT.601. */
const LUMA = [0.299, 0.587, 0.114] as const;

/** Of the range 0..1, to which features are rounded. */
const STEPS = 2 ** 16;

/** Numbers of an image. */
export const GRADIENT_FEATURES = CELLS * CELLS * ORIENTATIONS;

/** Side of the images where nothing is said, in pixels: cells of four. */
export const GRADIENT_DESCRIPTOR_SIDE = CELLS * 4;

/**
 * A network that needs no training: `addGradients` as an ONNX graph, so that all that takes a backbone takes it.
 * `input` [N, 3, S, S], 0..1; `embedding` [N, 392].
 * @param side S, a multiple of 7
 * @throws RangeError for another side
 */
export function gradientDescriptor(side: number = GRADIENT_DESCRIPTOR_SIDE): Model {
  if (!Number.isInteger(side) || side < 2 * CELLS || side % CELLS !== 0)
    throw new RangeError(`The side of gradients is a multiple of ${CELLS}, at least ${2 * CELLS}; got ${side}.`);
  const b = new GraphBuilder('gradients');
  const features = addGradients(b, b.input('input', 'float32', ['N', 3, side, side]), side);
  b.output(b.op('Identity', [features], {}, { name: 'embedding', outputs: ['embedding'] }));
  const scaling = { inputSize: [side, side], mean: [0, 0, 0], std: [255, 255, 255] };
  return {
    graph: b.build(),
    metadata: toFeatureMetadata(parsePreprocessing(scaling, 'gradients'), { backbone: 'gradients' }),
    producer: 'gleaner',
    sourceOpset: INTERNAL_OPSET,
  };
}

/**
 * Adds histograms of oriented gradients (Dalal and Triggs 2005): 7x7 cells of 8 orientations. A pixel's gradient, its sign
 * forgotten, is shared between the two nearest orientations by its angle, and among cells by a Gaussian of half a cell; the
 * whole is brought to length 1, and its roots are taken (Arandjelovic and Zisserman 2012), so that products compare distributions.
 * @param image [N, 3, S, S] red, green, blue, 0..1
 * @param side S, a multiple of 7
 * @returns [N, 392]
 */
export function addGradients(b: GraphBuilder, image: string, side: number): string {
  // d/dx and d/dy of the blurred grey image, which goes on beyond its border as it is there.
  const blur = gaussian(BLUR, 2);
  const slope = blur.map((weight, i) => (weight * (i - 2)) / BLUR ** 2);
  const kernels = [outer(blur, slope), outer(slope, blur)];
  const ofColours = kernels.flatMap((kernel) => LUMA.flatMap((share) => kernel.map((weight) => share * weight)));
  const padded = b.op('Pad', [image, b.int([0, 0, 2, 2, 0, 0, 2, 2])], { mode: 'edge' }, { name: 'border' });
  const weights = b.constant(float32(ofColours, [2, 3, 5, 5]));
  const gradients = b.op('Conv', [padded, weights], { kernel_shape: [5, 5] }, { name: 'gradients' });
  const [dx, dy] = b.ops('Split', [gradients, b.int([1, 1])], { axis: 1 }, { name: 'split', outputCount: 2 });
  const length = b.op('ReduceL2', [gradients, b.int([1])], { keepdims: 1 }, { name: 'length' });

  // Without its sign, a gradient's angle is the arc tangent of a quotient.
  const angle = b.op('Atan', [b.op('Div', [dy!, b.op('Add', [dx!, b.float(1e-12)])])], {}, { name: 'angle' });
  const centres = Array.from({ length: ORIENTATIONS }, (_, i) => (i * Math.PI) / ORIENTATIONS);
  const apart = b.op('Sub', [angle, b.constant(float32(centres, [1, ORIENTATIONS, 1, 1]))], {}, { name: 'apart' });
  const halfTurns = b.op('Round', [b.op('Mul', [apart, b.float(1 / Math.PI)])], {}, { name: 'half_turns' });
  const nearest = b.op('Abs', [b.op('Sub', [apart, b.op('Mul', [halfTurns, b.float(Math.PI)])])]);
  const share = b.op('Relu', [b.op('Sub', [b.float(1), b.op('Mul', [nearest, b.float(ORIENTATIONS / Math.PI)])])]);
  const oriented = b.op('Mul', [share, length], {}, { name: 'oriented' });

  const cell = side / CELLS;
  const reach = 2 * Math.ceil(cell / 2);
  const window = gaussian(cell / 2, reach);
  const size = window.length;
  const before = reach - Math.floor(cell / 2);
  const after = (CELLS - 1) * cell + size - side - before;
  const cells = b.op(
    'Conv',
    [
      oriented,
      b.constant(
        float32(
          centres.flatMap(() => outer(window, window)),
          [ORIENTATIONS, 1, size, size],
        ),
      ),
    ],
    { kernel_shape: [size, size], strides: [cell, cell], pads: [before, before, after, after], group: ORIENTATIONS },
    { name: 'cells' },
  );
  const flat = b.op('Flatten', [cells], { axis: 1 }, { name: 'flat' });
  const norm = b.op(
    'Add',
    [b.op('ReduceL2', [flat, b.int([1])], { keepdims: 1 }), b.float(1e-4)],
    {},
    { name: 'norm' },
  );
  const roots = b.op('Sqrt', [b.op('Div', [flat, norm])], {}, { name: 'roots' });
  // Rounding has no gradient: what is above is never trained.
  const steps = b.op('Round', [b.op('Mul', [roots, b.float(STEPS)])], {}, { name: 'steps' });
  return b.op('Mul', [steps, b.float(1 / STEPS)], {}, { name: 'gradient_histograms' });
}

/** Weights at -reach..reach, of the sum 1. */
function gaussian(deviation: number, reach: number): number[] {
  const values = Array.from({ length: 2 * reach + 1 }, (_, i) => Math.exp(-((i - reach) ** 2) / (2 * deviation ** 2)));
  const sum = values.reduce((total, value) => total + value, 0);
  return values.map((value) => value / sum);
}

/** By rows. */
function outer(rows: readonly number[], columns: readonly number[]): number[] {
  return rows.flatMap((row) => columns.map((column) => row * column));
}
