import type { ImageElement } from '../element.ts';

/** `only('cat', 'dog', flip)`: for images of these classes. An image without a class is left out. */
export const only: ImageElement = {
  level: 'image',
  name: 'only',
  about: 'A sequence for images of the named classes alone',
  parameters: {},
  sequences: 'one',
  texts: true,
  check,
  draw: ({ texts, sequences }, site, draw) =>
    site.label !== undefined && texts.includes(site.label) ? draw(sequences[0]!, site) : [],
};

/** `except('6', '9', flip)`: for images of all other classes. An image without a class could be of these: it is left out, too. */
export const except: ImageElement = {
  level: 'image',
  name: 'except',
  about: 'A sequence for images of all but the named classes',
  parameters: {},
  sequences: 'one',
  texts: true,
  check,
  draw: ({ texts, sequences }, site, draw) =>
    site.label !== undefined && !texts.includes(site.label) ? draw(sequences[0]!, site) : [],
};

function check({ texts }: { texts: readonly string[] }, problem: (message: string) => Error): void {
  if (texts.length === 0) throw problem("expected at least one class in quotes, as in only('cat', flip).");
}
