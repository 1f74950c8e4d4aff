import { decisions } from '../../evaluate/predictions.ts';
import { wilsonInterval } from '../../evaluate/interval.ts';
import type { HeldOutPredictions } from '../results/held-out-predictions.ts';
import type { PlanSite } from './plan-site.ts';

/** Held-out images, at least, of which anything is said. */
const LEAST_IMAGES = 20;
/** Of what chance leaves to be won, a share that is next to nothing, and one that is little. */
const NO_SKILL = 0.2;
const LITTLE_SKILL = 0.5;
/** Two classes are told apart where so many of their images are put on the right side of the two. */
const TOLD_APART = 0.75;

/** Told to a person, recorded, and shown in the report. */
export function remark({ workshop }: PlanSite, message: string): void {
  workshop.record({ type: 'plan-remark', message });
  workshop.onProgress?.({ type: 'warning', message });
}

/** Whether the largest class alone would be right as often; for few images nothing is known. */
export function isAtChance(held: HeldOutPredictions): boolean {
  const { n, right, chance, skill } = skillOf(held);
  return n >= LEAST_IMAGES && skill < NO_SKILL && wilsonInterval(right, n)[0] <= chance;
}

/** Whether little is known of what could be; for few images that is not known either. */
export function knowsLittle(held: HeldOutPredictions): boolean {
  const { n, skill } = skillOf(held);
  return n >= LEAST_IMAGES && skill < LITTLE_SKILL;
}

/** `chance`: of the largest class alone; `skill`: how much of what that leaves is right, up to 1. */
function skillOf(held: HeldOutPredictions): { n: number; right: number; chance: number; skill: number } {
  const n = held.labels.length;
  const counts = held.classes.map((_, k) => Array.from(held.labels).filter((label) => label === k).length);
  const chance = Math.max(...counts) / n;
  const right = decisions(held).filter(({ label, predicted }) => label === predicted).length;
  return { n, right, chance, skill: (right / n - chance) / (1 - chance) };
}

/** Pairs of classes that are surely not told apart, in words. */
export function confusedPairs(held: HeldOutPredictions): string[] {
  const { classes } = held;
  const rows = decisions(held);
  return classes.flatMap((one, a) =>
    classes.slice(a + 1).flatMap((other, offset) => {
      const pair = new Set([a, a + 1 + offset]);
      const between = rows.filter(({ label, predicted }) => pair.has(label) && pair.has(predicted));
      const right = between.filter(({ label, predicted }) => label === predicted).length;
      if (between.length === 0 || wilsonInterval(right, between.length)[1] >= TOLD_APART) return [];
      return [
        `"${one}" and "${other}" can't be told apart: of ${between.length} held-out images of the two, ${right} are on the right side. Join them, or label more images that show what the difference is.`,
      ];
    }),
  );
}
