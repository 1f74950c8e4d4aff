/**
 * The largest set whose labels are right in the mean as often as wanted: images by falling chance, as long as the mean
 * chance of those taken stays at least `right`. Images of equal chance are taken together or not at all.
 * @param chances [N] of being right, 0..1 @param right 0..1
 * @returns the lowest chance that is taken; Infinity where none is
 */
export function lowestChance(chances: Float64Array, right: number): number {
  const sorted = chances.toSorted().toReversed();
  let [sum, lowest] = [0, Infinity];
  for (const [i, chance] of sorted.entries()) {
    sum += chance;
    if (sorted[i + 1] !== chance && sum / (i + 1) >= right) lowest = chance;
  }
  return lowest;
}
