import { LUMA } from './point-maps.ts';

/** [3, 4], for a point step: each pixel's distance to its luma times a factor; 0 is grey, 1 the identity. */
export function saturationMatrix(factor: number): Float64Array {
  const matrix = new Float64Array(12);
  for (let row = 0; row < 3; row++)
    for (let column = 0; column < 3; column++)
      matrix[row * 4 + column] = (1 - factor) * LUMA[column]! + (row === column ? factor : 0);
  return matrix;
}
