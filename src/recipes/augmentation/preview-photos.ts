import { drawPolicy, parsePolicy } from '../../augment/policy.ts';
import { runSteps } from '../../augment/run-steps.ts';
import { randomStream, shuffled } from '../../core/random.ts';
import { InputError } from '../../core/errors.ts';
import { readDataset } from '../../datasets/read.ts';
import { decodeImage } from '../../images/decode.ts';
import type { Pixels } from '../../images/pixels.ts';

/** A photo of a data set, to be shown. */
export interface PreviewPhoto {
  readonly id: string;
  /** Name of its class, where it has one. */
  readonly label: string | undefined;
  readonly pixels: Pixels;
  /** Its middle, as a square of the size that was asked for. */
  readonly centred: Pixels;
}

/**
 * Photos drawn from a data set; those of a `test` part are not shown.
 * @throws InputError where there is none
 */
export async function photosOf(
  data: string,
  options: { readonly count: number; readonly seed: number; readonly size: number; readonly signal?: AbortSignal },
): Promise<{ photos: PreviewPhoto[]; classes: readonly string[] }> {
  const { count, seed, size, signal } = options;
  const { samples, classes } = await readDataset(data, { seed, ...(signal && { signal }) });
  const shown = samples.filter(({ split }) => split !== 'test');
  if (shown.length === 0) throw new InputError(`${data} has no image to show.`);
  const photos: PreviewPhoto[] = [];
  for (const { id, file, label } of shuffled(shown, randomStream(seed, 'preview photos')).slice(0, count)) {
    const pixels = await decodeImage(file);
    photos.push({
      id,
      label: label === undefined ? undefined : classes[label],
      pixels,
      centred: middleOf(pixels, size),
    });
  }
  return { photos, classes };
}

const MIDDLE = parsePolicy('resize|centercrop');

function middleOf(image: Pixels, size: number): Pixels {
  const input = { width: size, height: size };
  return runSteps(drawPolicy(MIDDLE, { image, input, stream: randomStream('middle'), label: undefined }), image);
}
