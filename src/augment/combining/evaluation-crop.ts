import type { ImageElement } from '../element.ts';

/**
 * `evaluationcrop`: exactly the pixels that evaluation sees. They are made by the preprocessing graph before the policy
 * runs, so that it can only stand at its beginning; there is nothing left to do here.
 */
export const evaluationCrop: ImageElement = {
  level: 'image',
  name: 'evaluationcrop',
  about: 'The crop that evaluation sees, at the beginning of a policy',
  parameters: {},
  sequences: 'none',
  texts: false,
  draw: () => [],
};
