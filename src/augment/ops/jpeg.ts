import { jpegRoundTrip } from '../jpeg/round-trip.ts';
import { operation } from '../operation.ts';

/** What JPEG loses, to the byte as libjpeg would have it: `jpeg/round-trip.ts`. */
export const jpeg = operation({
  name: 'jpeg',
  about: 'Saved as JPEG and read again: blocks and smeared colours',
  group: 'noise',
  parameters: {
    quality: {
      kind: 'range',
      about: "libjpeg's quality; at 100 nothing is saved and the image stays",
      min: 1,
      max: 100,
      identity: 100,
      single: 'exactly',
      default: [30, 90],
    },
  },
  probability: 0.5,
  steps: ({ quality }) => (quality === 100 ? [] : [{ kind: 'filter', run: (image) => jpegRoundTrip(image, quality) }]),
  strength: { signed: false, at: (level) => ({ quality: 100 - 95 * level }) },
});
