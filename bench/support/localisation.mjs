// From a class activation map to a box, and how near it is to the true one.
import { boundingBox } from './cluttered-digits.mjs';

/** A map [height, width] enlarged to [side, side], bilinear, pixel centres on pixel centres. */
export function enlarged(map, height, width, side) {
  const result = new Float32Array(side * side);
  const along = (at, count) => {
    const place = Math.max(0, Math.min(count - 1, ((at + 0.5) * count) / side - 0.5));
    const low = Math.min(count - 1, Math.floor(place));
    return [low, Math.min(count - 1, low + 1), place - low];
  };
  for (let y = 0; y < side; y++) {
    const [top, bottom, down] = along(y, height);
    for (let x = 0; x < side; x++) {
      const [left, right, over] = along(x, width);
      const row = (r) => map[r * width + left] * (1 - over) + map[r * width + right] * over;
      result[y * side + x] = row(top) * (1 - down) + row(bottom) * down;
    }
  }
  return result;
}

/** Where a map [side, side] is greatest. */
export function peak(map, side) {
  let best = 0;
  for (let i = 1; i < map.length; i++) if (map[i] > map[best]) best = i;
  return { x: best % side, y: Math.floor(best / side) };
}

export const contains = ({ left, top, width, height }, { x, y }) =>
  x >= left && x < left + width && y >= top && y < top + height;

/**
 * The box around the largest connected part of what is at least `share` of the map's maximum (Zhou et al. 2016, section 3.2);
 * undefined where the map is nowhere over 0.
 */
export function boxAbove(map, side, share) {
  const least = share * map.reduce((greatest, x) => Math.max(greatest, x), 0);
  if (!(least > 0)) return undefined;
  const part = new Int32Array(map.length);
  let [count, largest, size] = [0, 0, 0];
  for (let start = 0; start < map.length; start++) {
    if (part[start] !== 0 || map[start] < least) continue;
    count++;
    const open = [start];
    part[start] = count;
    let seen = 0;
    while (open.length > 0) {
      const at = open.pop();
      seen++;
      const x = at % side;
      for (const next of [x > 0 ? at - 1 : -1, x < side - 1 ? at + 1 : -1, at - side, at + side])
        if (next >= 0 && next < map.length && part[next] === 0 && map[next] >= least) {
          part[next] = count;
          open.push(next);
        }
    }
    if (seen > size) [largest, size] = [count, seen];
  }
  return boundingBox((x, y) => part[y * side + x] === largest, side, side);
}

/** Intersection over union of two boxes; 0 where there is none. */
export function overlap(one, other) {
  if (one === undefined || other === undefined) return 0;
  const shared = (start, length) =>
    Math.max(0, Math.min(one[start] + one[length], other[start] + other[length]) - Math.max(one[start], other[start]));
  const both = shared('left', 'width') * shared('top', 'height');
  return both / (one.width * one.height + other.width * other.height - both);
}
