import { dataTypeCode } from '../../onnx/data-types.ts';
import { attribute, float, type Node } from '../../onnx/graph.ts';
import type { Emitter } from '../emitter.ts';
import { always, type Lowering } from '../lowering.ts';

/**
 * Gradients of activations with a kink, as products with masks. A mask is HardSigmoid with a slope so
 * steep that it is a step: exact for every threshold and every normal float. `Where` and `Cast` on
 * float tensors cost 2 to 15 times as much on the CPU engine.
 */

/** 1 where x > threshold, else 0. */
export function stepAbove(e: Emitter, x: string, threshold: number): string {
  const slope = steepSlope(threshold);
  return e.op('HardSigmoid', [x], { alpha: float(slope), beta: float(-threshold * slope) });
}

/** 1 where x < threshold, else 0. */
export function stepBelow(e: Emitter, x: string, threshold: number): string {
  const slope = steepSlope(threshold);
  return e.op('HardSigmoid', [x], { alpha: float(-slope), beta: float(threshold * slope) });
}

/** dy where min < x < max, else 0; open ends are infinite. */
export function maskBetween(e: Emitter, dy: string, x: string, min: number, max: number): string {
  let masked = dy;
  if (min > -MAX_FLOAT) masked = e.mul(masked, stepAbove(e, x, min));
  if (max < MAX_FLOAT) masked = e.mul(masked, stepBelow(e, x, max));
  return masked;
}

/** A power of two: products with it are exact, and the first float beside the threshold already moves by 1. */
function steepSlope(threshold: number): number {
  return threshold === 0 ? 2 ** 126 : 2 ** Math.min(126, 126 - Math.ceil(Math.log2(Math.abs(threshold))));
}

const MAX_FLOAT = 3.4e38;

// d relu(x) = [y > 0] dy
const reluStep: Lowering = {
  name: 'step',
  applies: always,
  emit: (e, [dy, y]) => [e.mul(dy!, stepAbove(e, y!, 0))],
};

// d clip(x) = [min < x < max] dy
const clipStep: Lowering = {
  name: 'steps',
  applies: always,
  emit: (e, [dy, x], site) => {
    const [min, max] = [attribute(site.node, 'min', 'float'), attribute(site.node, 'max', 'float')];
    return [maskBetween(e, dy!, x!, min, max)];
  },
};

/** Whether a clip is closed at both ends. */
export function isBetween(node: Node): boolean {
  return attribute(node, 'min', 'float') > -MAX_FLOAT && attribute(node, 'max', 'float') < MAX_FLOAT;
}

/** Whether x lies inside a clip: bool. */
export function inside(e: Emitter, x: string, clip: Node): string {
  const [min, max] = [attribute(clip, 'min', 'float'), attribute(clip, 'max', 'float')];
  return e.op('And', [e.op('Greater', [x, e.scalar(min)]), e.op('Less', [x, e.scalar(max)])]);
}

// The same with truth values, a quarter the size of numbers: fewer bytes pass through memory, in more passes.
const clipComparisons: Lowering = {
  name: 'comparisons',
  applies: ({ node }) => isBetween(node),
  emit: (e, [dy, x], { node }) => [e.mul(dy!, e.op('Cast', [inside(e, x!, node)], { to: dataTypeCode('float32') }))],
};

// d leaky(x) = (alpha + (1 - alpha) [x > 0]) dy
const leakyStep: Lowering = {
  name: 'step',
  applies: always,
  emit: (e, [dy, x], site) => {
    const alpha = attribute(site.node, 'alpha', 'float');
    const step = stepAbove(e, x!, 0);
    // Raising the mask's zeros to alpha is one cheap pass where alpha lies between 0 and 1.
    const slope =
      alpha >= 0 && alpha <= 1
        ? e.op('Clip', [step, e.scalar(alpha)])
        : e.add(e.mul(step, e.scalar(1 - alpha)), e.scalar(alpha));
    return [e.mul(dy!, slope)];
  },
};

// d hardsigmoid(x) = alpha [0 < y < 1] dy
const hardSigmoidSteps: Lowering = {
  name: 'steps',
  applies: always,
  emit: (e, [dy, y], site) => {
    const alpha = attribute(site.node, 'alpha', 'float');
    return [e.mul(maskBetween(e, dy!, y!, 0, 1), e.scalar(alpha))];
  },
};

// d hardswish(x) = (0 for x <= -3, 1 for x >= 3, else x / 3 + 1/2) dy
//                = (clip(x, -3, 3) / 3 + 1/2 (1 + [x < 3] - [x > -3])) dy
const hardSwishSteps: Lowering = {
  name: 'steps',
  applies: always,
  emit: (e, [dy, x]) => {
    const ramp = e.mul(e.op('Clip', [x!, e.scalar(-3), e.scalar(3)]), e.scalar(1 / 3));
    const ends = e.sub(stepBelow(e, x!, 3), stepAbove(e, x!, -3));
    const slope = e.add(ramp, e.mul(e.add(ends, e.scalar(1)), e.scalar(0.5)));
    return [e.mul(dy!, slope)];
  },
};

export const activationLowerings = {
  ReluGrad: [reluStep],
  ClipGrad: [clipComparisons, clipStep],
  LeakyReluGrad: [leakyStep],
  HardSigmoidGrad: [hardSigmoidSteps],
  HardSwishGrad: [hardSwishSteps],
};
