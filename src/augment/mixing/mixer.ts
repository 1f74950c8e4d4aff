import type { RandomStream } from '../../core/random.ts';
import type { Pixels } from '../../images/pixels.ts';
import type { BatchElement, Item } from '../element.ts';
import type { Parameters } from '../parameters.ts';

/** A way to make one image of several, and how much of each is in it. */
export interface Mixer extends BatchElement {
  /** Images that a mixed one is made of, itself included. */
  readonly images: (given: Item['arguments']) => number;
  /** The ratio of a mixture; one for a batch, or one an image (`per`). */
  readonly ratio: (given: Item['arguments'], stream: RandomStream) => Ratio;
  /**
   * @param sources of one size; the first is the image itself
   * @param into [height, width, 3], holds a copy of the first
   * @returns the share of each source in the result, with sum 1
   */
  readonly mix: (ratio: Ratio, sources: readonly Pixels[], stream: RandomStream, into: Uint8Array) => number[];
}

/** For mixtures of two, the share of the first; what more a mixer draws at once follows. */
export type Ratio = readonly number[];

/** What all mixers can be told. */
export const mixingParameters = {
  per: {
    kind: 'choice',
    about: 'whether to mix, and in what ratio, is drawn anew for each image (element) or once a batch',
    choices: ['element', 'batch'],
    default: 'element',
  },
  off: { kind: 'number', about: 'last epochs without it', min: 0, max: 100_000, integer: true, default: 0 },
  p: { kind: 'number', about: 'how often, 0..1', min: 0, max: 1, default: 1 },
} as const satisfies Parameters;
