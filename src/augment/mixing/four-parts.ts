import type { Box } from '../../images/pixels.ts';
import type { Size } from '../../images/pixels.ts';

/** The four parts of an image around a point, in the order of reading; parts may be empty. */
export function fourParts({ width, height }: Size, x: number, y: number): Box[] {
  return [
    { left: 0, top: 0, width: x, height: y },
    { left: x, top: 0, width: width - x, height: y },
    { left: 0, top: y, width: x, height: height - y },
    { left: x, top: y, width: width - x, height: height - y },
  ];
}

export function sharesOf(parts: readonly Box[], { width, height }: Size): number[] {
  return parts.map((part) => (part.width * part.height) / (width * height));
}
