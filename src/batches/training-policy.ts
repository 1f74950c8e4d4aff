import { randomStream } from '../core/random.ts';
import { randomCropBox, resizedCrop, type RandomCropRange } from '../images/crops.ts';

/** How a training image is varied each time it is seen. */
export interface TrainingPolicy {
  /** A random part of the image, resized to the input; without it, the crop that evaluation sees. */
  readonly crop?: RandomCropRange;
  /** Mirrored left to right half of the time. */
  readonly flip: boolean;
}

/** What a drawn variation depends on, and nothing else. */
export interface DrawKey {
  readonly seed: number;
  readonly stage: string;
  readonly epoch: number;
  readonly id: string;
  /** 0 for the first time that the sample is in this epoch, 1 for the second, ... */
  readonly occurrence: number;
}

/**
 * Draws a variation of an image and writes it.
 * @param pixels [height, width, 3] uint8
 * @param size height and width of the result
 * @param into where the [h, w, 3] result goes, from `offset`
 */
export function drawCrop(
  pixels: Uint8Array,
  width: number,
  height: number,
  policy: TrainingPolicy & { readonly crop: RandomCropRange },
  key: DrawKey,
  size: readonly [number, number],
  into: Uint8Array,
  offset: number,
): void {
  const box = randomCropBox(width, height, policy.crop, streamOf(key, 'crop'));
  resizedCrop(pixels, width, box, size, policy.flip && isFlipped(key), into, offset);
}

/** Whether this drawing of the sample is mirrored, where the policy mirrors. */
export function isFlipped(key: DrawKey): boolean {
  return streamOf(key, 'flip').uniform() < 0.5;
}

/** Mirrors [height, width, 3] pixels in place. */
export function mirror(pixels: Uint8Array, width: number): void {
  for (let row = 0; row < pixels.length; row += width * 3)
    for (let left = row, right = row + (width - 1) * 3; left < right; left += 3, right -= 3)
      for (let c = 0; c < 3; c++) [pixels[left + c], pixels[right + c]] = [pixels[right + c]!, pixels[left + c]!];
}

function streamOf({ seed, stage, epoch, id, occurrence }: DrawKey, purpose: string) {
  return randomStream(seed, stage, epoch, id, occurrence, purpose);
}
