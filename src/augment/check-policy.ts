import { InputError, suggestion } from '../core/errors.ts';
import { randomStream, type RandomStream } from '../core/random.ts';
import type { Size } from '../images/pixels.ts';
import type { Item } from './element.ts';
import { drawPolicy, readsFiles, sizeAfter, type Policy } from './policy.ts';

/**
 * Whether images of every size leave a policy at the network's input size: tried on small and large, wide and high ones,
 * with operations left out wherever they can be and with drawn numbers.
 * @throws InputError where one does not
 */
export function checkPolicySize(policy: Policy, input: Size): void {
  if (policy.image.length === 0) return;
  const sizes = readsFiles(policy) ? [input, ...OTHER_SIZES] : [input];
  for (const image of sizes)
    for (const stream of [...EXTREMES.map(extreme), ...[1, 2, 3, 4].map((seed) => randomStream('policy size', seed))]) {
      const size = sizeAfter(drawPolicy(policy, { image, input, stream, label: undefined }), image);
      if (size.width === input.width && size.height === input.height) continue;
      throw new InputError(
        `The policy "${policy.text}" leaves an image of ${image.width}x${image.height} at ${size.width}x${size.height}, ` +
          `but the network takes ${input.width}x${input.height}: it needs a crop, such as randomresizedcrop, randomcrop, ` +
          'centercrop or, at its beginning, evaluationcrop.',
      );
    }
}

const OTHER_SIZES: readonly Size[] = [
  { width: 31, height: 9 },
  { width: 640, height: 427 },
  { width: 301, height: 1000 },
];

/** What an operation with a probability takes for "yes" and for "no". */
const EXTREMES = [0, 1 - 2 ** -53];

/** One number for as many draws as a policy decides by; then others, or what draws until something fits would never end. */
function extreme(value: number): RandomStream {
  const others = randomStream('policy size', value);
  let left = 1000;
  const isExtreme = (): boolean => left-- > 0;
  return {
    uniform: () => (isExtreme() ? value : others.uniform()),
    integer: (bound) => (isExtreme() ? Math.floor(value * bound) : others.integer(bound)),
    normal: () => (isExtreme() ? 0 : others.normal()),
    fillWords: (words) => others.fillWords(words),
  };
}

/** @throws InputError where `only` or `except` name a class that is not there */
export function checkPolicyClasses({ text, image }: Policy, classes: readonly string[]): void {
  const visit = (item: Item): void => {
    item.sequences.flat().forEach(visit);
    if (item.name !== 'only' && item.name !== 'except') return;
    for (const name of item.texts)
      if (!classes.includes(name))
        throw new InputError(
          `The policy "${text}" names the class '${name}', which is not in the data${suggestion(name, classes)}; its classes are ${classes.join(', ')}.`,
        );
  };
  image.forEach(visit);
}
