import { suggestion } from '../../core/errors.ts';
import type { ImageElement, Item } from '../element.ts';
import type { Fill } from '../../images/sample.ts';
import { commonParameters } from './common-parameters.ts';
import type { Step } from '../step.ts';
import { MAX_MAGNITUDE, stepsAtDrawnSign, strongOperation, strongOperations } from './magnitude.ts';

/** The operations of torchvision's RandAugment; `identity` leaves the image as it is. */
export const RANDAUGMENT_OPERATIONS = [
  'identity',
  'shearx',
  'sheary',
  'translatex',
  'translatey',
  'rotate',
  'brightness',
  'saturation',
  'contrast',
  'sharpness',
  'posterize',
  'solarize',
  'autocontrast',
  'equalize',
] as const;

/**
 * RandAugment (Cubuk et al. 2019, arXiv:1909.13719): n operations, each drawn anew from the same list, all at magnitude m
 * on torchvision's scale, 0 to 30. Every operation grows with m and leaves the image as it is at m = 0.
 *
 * Quoted texts name the operations to choose from, `'rotate:2'` with a weight. `mstd` spreads m: normally with that
 * deviation, or, with `spread=uniform`, evenly between 0 and m.
 */
export const randAugment: ImageElement = {
  level: 'image',
  name: 'randaugment',
  about: 'n operations drawn from a list, all at magnitude m (0 to 30)',
  parameters: {
    n: { kind: 'number', about: 'operations an image', min: 0, max: 16, integer: true, default: 2 },
    m: { kind: 'number', about: 'magnitude', min: 0, max: MAX_MAGNITUDE, default: 9 },
    mstd: { kind: 'number', about: 'standard deviation of the magnitude', min: 0, max: MAX_MAGNITUDE, default: 0 },
    spread: { kind: 'choice', about: 'how the magnitude is drawn', choices: ['normal', 'uniform'], default: 'normal' },
    each: { kind: 'number', about: 'how often each drawn operation is really done, 0..1', min: 0, max: 1, default: 1 },
    ...commonParameters,
  },
  sequences: 'none',
  texts: true,
  check: checkOperations,
  draw(item, site) {
    const given = item.arguments;
    const { stream } = site;
    if (stream.uniform() >= (given['p'] as number)) return [];
    const choose = weightedChoice(item);
    const steps: Step[] = [];
    for (let i = 0; i < (given['n'] as number); i++) {
      const name = choose(stream.uniform());
      if (stream.uniform() >= (given['each'] as number)) continue;
      const magnitude = drawMagnitude(given, stream);
      if (name === 'identity') continue;
      const fill = given['fill'] as Fill;
      const drawn = stepsAtDrawnSign(strongOperation(name), magnitude / MAX_MAGNITUDE, site, fill);
      steps.push(...drawn);
    }
    return steps;
  },
};

function drawMagnitude(given: Item['arguments'], stream: { uniform(): number; normal(): number }): number {
  const m = given['m'] as number;
  if (given['spread'] === 'uniform') return m * stream.uniform();
  const mstd = given['mstd'] as number;
  return mstd === 0 ? m : Math.min(MAX_MAGNITUDE, Math.max(0, m + mstd * stream.normal()));
}

function weightedChoice({ texts }: Item): (share: number) => string {
  const entries =
    texts.length === 0 ? RANDAUGMENT_OPERATIONS.map((name) => ({ name, weight: 1 })) : texts.map(readEntry);
  const total = entries.reduce((sum, { weight }) => sum + weight, 0);
  return (share) => {
    let left = share * total;
    for (const { name, weight } of entries) {
      left -= weight;
      if (left < 0) return name;
    }
    return entries.at(-1)!.name;
  };
}

/** `name` or `name:weight`. */
function readEntry(text: string): { name: string; weight: number } {
  const [name, weight] = text.split(':');
  return { name: name!.trim().toLowerCase(), weight: weight === undefined ? 1 : Number(weight) };
}

export function checkOperations({ texts }: Item, problem: (message: string) => Error): void {
  const known = ['identity', ...strongOperations()];
  for (const text of texts) {
    const { name, weight } = readEntry(text);
    if (!known.includes(name))
      throw problem(
        `'${text}' names no operation with a strength${suggestion(name, known)}; these have one: ${known.join(', ')}.`,
      );
    if (!(weight > 0 && Number.isFinite(weight))) throw problem(`the weight in '${text}' must be a number above 0.`);
  }
}
