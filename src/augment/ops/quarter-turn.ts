import type { Size } from '../../images/pixels.ts';
import type { Matrix3 } from '../../images/matrix.ts';
import { operation } from '../operation.ts';
import { copying } from '../sampling-parameters.ts';
import type { Warp } from '../step.ts';

/** Turned by quarters of a circle, every pixel kept: width and height change places at odd ones (numpy's `rot90`). */
export const quarterTurn = operation({
  name: 'quarterturn',
  about: 'Turned by quarters of a circle',
  group: 'geometry',
  parameters: {
    turns: {
      kind: 'range',
      about: 'quarter turns, counter-clockwise as one sees it',
      min: -3,
      max: 3,
      integer: true,
      identity: 0,
      single: 'exactly',
      default: [0, 3],
    },
  },
  probability: 1,
  risk: 'turned',
  steps: ({ turns }, { image }) => [quarterTurns(turns, image)],
});

function quarterTurns(turns: number, { width, height }: Size): Warp {
  const k = ((turns % 4) + 4) % 4;
  const matrices: readonly Matrix3[] = [
    [1, 0, 0, 0, 1, 0, 0, 0, 1],
    [0, -1, width, 1, 0, 0, 0, 0, 1],
    [-1, 0, width, 0, -1, height, 0, 0, 1],
    [0, 1, 0, -1, 0, height, 0, 0, 1],
  ];
  const size = k % 2 === 0 ? { width, height } : { width: height, height: width };
  return { kind: 'warp', size, matrix: matrices[k]!, ...copying() };
}
