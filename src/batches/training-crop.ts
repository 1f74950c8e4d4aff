import { RunError } from '../core/errors.ts';
import { randomStream } from '../core/random.ts';
import { drawPolicy, sizeAfter, type Policy } from '../augment/policy.ts';
import { runSteps } from '../augment/run-steps.ts';
import type { Pixels, Size } from '../images/pixels.ts';

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
 * Draws a variation of an image and writes it; of several views, which differ in `augmix` alone, each in turn.
 * @param label the image's class, where it has one
 * @param view of several, which one: 0 is without `augmix`; undefined where there is only one
 * @param input size of the result
 * @param into where the [height, width, 3] result goes, from `offset`
 * @throws RunError where the policy leaves another size
 */
export function drawTrainingCrop(
  image: Pixels,
  policy: Policy,
  { seed, stage, epoch, id, occurrence }: DrawKey,
  label: string | undefined,
  view: number | undefined,
  input: Size,
  into: Uint8Array,
  offset: number,
): void {
  const draw = [seed, stage, epoch, id, occurrence] as const;
  const site = { image, input, stream: randomStream(...draw, 'augment'), label };
  const own = view !== undefined && { view: view === 0 ? ('clean' as const) : randomStream(...draw, 'augmix', view) };
  const steps = drawPolicy(policy, { ...site, ...own });
  const size = sizeAfter(steps, image);
  if (size.width !== input.width || size.height !== input.height)
    throw new RunError(
      `The policy "${policy.text}" left ${id} at ${size.width}x${size.height}; the network takes ${input.width}x${input.height}.`,
    );
  runSteps(steps, image, { into, offset });
}
