import type { Size } from '../images/pixels.ts';
import { scaling, type Matrix3 } from '../images/matrix.ts';

type Point = readonly [x: number, y: number];

/** Maps the unit square onto `size`. */
export function rectangle({ width, height }: Size): Matrix3 {
  return scaling(width, height);
}

/**
 * Maps the unit square onto four corners, in the order (0, 0), (1, 0), (1, 1), (0, 1) (Heckbert, "Fundamentals of
 * Texture Mapping and Image Warping", 1989, section 2.2.3).
 */
export function quadrilateral([p, q, r, s]: readonly [Point, Point, Point, Point]): Matrix3 {
  const [dx1, dy1] = [q[0] - r[0], q[1] - r[1]];
  const [dx2, dy2] = [s[0] - r[0], s[1] - r[1]];
  const [dx3, dy3] = [p[0] - q[0] + r[0] - s[0], p[1] - q[1] + r[1] - s[1]];
  const determinant = dx1 * dy2 - dx2 * dy1;
  const g = (dx3 * dy2 - dx2 * dy3) / determinant;
  const h = (dx1 * dy3 - dx3 * dy1) / determinant;
  return [
    q[0] - p[0] + g * q[0],
    s[0] - p[0] + h * s[0],
    p[0],
    q[1] - p[1] + g * q[1],
    s[1] - p[1] + h * s[1],
    p[1],
    g,
    h,
    1,
  ];
}
