import { probability, type ImageElement } from '../element.ts';

/** `oneof(a | b, c)`: one of the sequences, each with equal chance. */
export const oneOf: ImageElement = {
  level: 'image',
  name: 'oneof',
  about: 'One of several sequences, drawn with equal chance',
  parameters: { p: probability(1) },
  sequences: 'many',
  texts: false,
  draw({ arguments: { p }, sequences }, site, draw) {
    if (site.stream.uniform() >= (p as number)) return [];
    return draw(sequences[site.stream.integer(sequences.length)]!, site);
  },
};
