import { counted, percent } from './format.ts';
import type { RunSummary } from './run-summary.ts';

/** Fewer images of a class than this say little of it. */
const FEW_IMAGES = 10;
/** An interval wider than this hides any but the largest difference. */
const WIDE = 0.15;

/** What a careful reader would say of the figures, drawn from the figures. */
export function cautions(run: RunSummary): string[] {
  const texts: string[] = [];
  const openings = run.testOpenings?.length ?? 0;
  if (openings > 1)
    texts.push(
      `The test images were looked at ${openings} times. Each look that led to a choice makes the score too good.`,
    );
  const { evaluation } = run;
  if (evaluation !== undefined) {
    const [low, high] = evaluation.interval;
    if (high - low > WIDE)
      texts.push(
        `With ${counted(evaluation.n, 'image')} the score is uncertain by ${percent(high - low)}: compare runs with care.`,
      );
    const few = Object.entries(evaluation.perClass).filter(([, { support }]) => support < FEW_IMAGES);
    if (few.length > 0)
      texts.push(
        `${few.length === 1 ? 'One class is' : `${few.length} classes are`} scored on fewer than ${FEW_IMAGES} images (${shown(few.map(([name, { support }]) => `${name}: ${support}`))}).`,
      );
    const never = Object.entries(evaluation.perClass).filter(
      ([, { support, precision }]) => support > 0 && precision === undefined,
    );
    if (never.length > 0) texts.push(`The model never says ${shown(never.map(([name]) => name))}.`);
  }
  const leaks = run.data?.leaks;
  if (leaks !== undefined && leaks.pairs.length > 0 && !leaks.dropped)
    texts.push(
      `${counted(leaks.pairs.length, 'training image')} ${leaks.pairs.length === 1 ? 'is a copy of one' : 'are copies of images'}${run.data?.groups === undefined ? '' : ', or of one group with such,'} in val or test, and ${leaks.pairs.length === 1 ? 'was' : 'were'} trained on: the score is too good. --drop-leaks leaves them out.`,
    );
  return texts;
}

function shown(names: readonly string[]): string {
  return names.length <= 6 ? names.join(', ') : `${names.slice(0, 6).join(', ')} and ${names.length - 6} more`;
}
