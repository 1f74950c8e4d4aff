/**
 * Names that stand for a whole policy. `weak` and `strong` are a pair for semi-supervised training (Sohn et al. 2020,
 * arXiv:2001.07685): what a label is predicted on, and what is trained on.
 */
export const PRESETS: ReadonlyMap<string, string> = new Map([
  ['weak', 'randomresizedcrop(scale=0.5..1)|flip'],
  ['strong', 'randomresizedcrop(scale=0.5..1)|flip|randaugment(2,10)|cutout'],
]);
