/** The fold of each row, the rows of a class dealt evenly. @param labels [N] */
export function folds(labels, count) {
  const dealt = new Map();
  return labels.map((label) => {
    const next = dealt.get(label) ?? 0;
    dealt.set(label, next + 1);
    // Classes begin at different folds: with fewer rows than folds, all folds still get some.
    return (next + label) % count;
  });
}
