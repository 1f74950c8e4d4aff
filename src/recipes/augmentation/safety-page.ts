import { OPERATIONS } from '../../augment/operations.ts';
import type { ViewSafety } from '../../augment/safety.ts';
import { drawPolicy } from '../../augment/policy.ts';
import { runSteps } from '../../augment/run-steps.ts';
import { singleView } from '../../augment/single-view.ts';
import { randomStream } from '../../core/random.ts';
import { sheetPage } from '../../report/sheet-page.ts';
import { photosOf } from './preview-photos.ts';
import type { Safety } from './probe-safety.ts';

/** Pictures of each view. */
const PHOTOS = 5;
/** Large enough to see what happened. */
const SIDE = 160;

/** The table of what is safe, with pictures of each operation at each strength that was tried, as a page. */
export async function safetyPage(
  data: string,
  { images, accuracy, views }: Safety,
  { seed = 0 }: { readonly seed?: number } = {},
): Promise<string> {
  const { photos } = await photosOf(data, { count: PHOTOS, seed, size: SIDE });
  const input = { width: SIDE, height: SIDE };
  const rows = views.map((view) => {
    const operation = OPERATIONS.get(view.operation)!;
    const policy = singleView(operation, view.level);
    const cells = photos.map(({ id, label, centred }) => {
      const stream = randomStream(seed, 'safety page', view.operation, id);
      return {
        pixels: runSteps(drawPolicy(policy, { image: centred, input, stream, label }), centred),
        caption: label ?? id,
      };
    });
    return { title: titleOf(view), cells };
  });
  const text =
    `Tried on ${images} images that the network was not trained on; it recognises ${share(accuracy)} of them as they are. ` +
    'An operation is left out of the search where surely more than a quarter of the recognised images is recognised no more, ' +
    "or where a class turns into another one; the search's --allow and --deny overrule that.";
  return sheetPage({ title: 'What the data bears', rows }, text);
}

function titleOf({ operation, level, lost, interval, verdict, classes }: ViewSafety): string {
  const changed = classes
    .filter(({ changes }) => changes)
    .map(({ className, takenFor }) => `${className} becomes ${takenFor!.className}`);
  const magnitude = level === undefined ? '' : ` at magnitude ${(level * 30).toFixed(0)}`;
  const details = changed.length > 0 ? ` (${changed.join(', ')})` : '';
  return `${operation}${magnitude}: ${verdict}${details}; ${share(lost)} recognised no more (${share(interval[0])} to ${share(interval[1])})`;
}

function share(value: number): string {
  return `${(value * 100).toFixed(1)} %`;
}
