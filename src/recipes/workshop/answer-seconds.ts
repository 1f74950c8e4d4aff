import type { Sample } from '../../datasets/dataset.ts';
import { onPixels, type Network } from '../networks/network.ts';
import { outputsOf } from '../results/outputs.ts';
import type { Workshop } from './workshop.ts';
import { workshopFor } from './workshop-for.ts';

/** What a step costs an image, in answers to it: between 4 and 7 for the networks that `bench` measures. */
export const STEP_COST = 6;
/** Enough for a rate. */
const TRIED_IMAGES = 32;

/** Seconds in which a network answers one image, here and now: for estimates alone. */
export async function answerSeconds(
  workshop: Workshop,
  { graph, logits, preprocessing }: Network,
  samples: readonly Sample[],
  maxPixels: number,
): Promise<number> {
  const tried = samples.slice(0, TRIED_IMAGES);
  return workshopFor(workshop, preprocessing, maxPixels, async ({ engine, crops, signal }) => {
    // Decoded and loaded before it is timed.
    await crops.crops(tried, signal);
    const pixels = onPixels(graph, logits, preprocessing);
    await outputsOf(engine, pixels, crops, tried.slice(0, 1), { stage: 'estimate', signal });
    const start = performance.now();
    await outputsOf(engine, pixels, crops, tried, { stage: 'estimate', signal });
    return (performance.now() - start) / 1000 / tried.length;
  });
}
