import type { PropertyGroup, PropertyKey } from './properties.ts';

/** An operation that could make the data's images like the world's, and the values that are tried. */
export interface Candidate {
  readonly operation: string;
  readonly group: PropertyGroup;
  /** In rising order, the identity among them. */
  readonly values: readonly number[];
  readonly identity: number;
  /** Whether values are drawn evenly by ratio, as the operation does. */
  readonly isLogarithmic: boolean;
  /** It is tried where one of these differs. */
  readonly covers: readonly PropertyKey[];
  /** Whether left and right (or up and down) are alike to it, so that a range to both sides is the simpler one. */
  readonly isSigned: boolean;
  /** Whether pixels come from outside of the image. */
  readonly fills: boolean;
  /** As the policy language has it. */
  readonly text: (low: number, high: number, fill: string, probability?: number) => string;
}

const PLACE: readonly PropertyKey[] = ['subjectX', 'subjectY', 'subjectSize'];
const TURN: readonly PropertyKey[] = ['axes', 'slant', 'lean', 'upright'];
const LIGHT: readonly PropertyKey[] = ['brightness', 'contrast', 'dark', 'light'];
const HUE: readonly PropertyKey[] = ['saturation', 'warmth', 'tint'];

const SHIFTS = [-0.4, -0.3, -0.25, -0.2, -0.15, -0.1, -0.05, 0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4];
const FACTORS = [0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.35, 1.5, 1.75, 2, 2.5];

export const CANDIDATES: readonly Candidate[] = [
  candidate('rotate', 'geometry', TURN, [-60, -45, -35, -25, -18, -12, -6, 0, 6, 12, 18, 25, 35, 45, 60], {
    isSigned: true,
    fills: true,
  }),
  candidate('translatex', 'geometry', PLACE, SHIFTS, { isSigned: true, fills: true }),
  candidate('translatey', 'geometry', PLACE, SHIFTS, { isSigned: true, fills: true }),
  candidate('scale', 'geometry', PLACE, [0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 1.75, 2, 2.5], {
    identity: 1,
    isLogarithmic: true,
    fills: true,
  }),
  candidate('brightness', 'colour', LIGHT, FACTORS, { identity: 1 }),
  candidate('gamma', 'colour', LIGHT, [0.3, 0.4, 0.5, 0.6, 0.7, 0.85, 1, 1.2, 1.4, 1.7, 2, 2.5, 3.3], {
    identity: 1,
    isLogarithmic: true,
  }),
  candidate('contrast', 'colour', LIGHT, FACTORS, { identity: 1 }),
  candidate('saturation', 'colour', HUE, [0, 0.15, 0.3, 0.45, 0.6, 0.7, 0.8, 0.9, 1, 1.15, 1.3, 1.5, 1.75, 2, 2.5], {
    identity: 1,
  }),
  candidate(
    'temperature',
    'colour',
    HUE,
    [2500, 3000, 3500, 4200, 5000, 5700, 6500, 7500, 9000, 11_000, 14_000, 20_000],
    {
      identity: 6500,
      isLogarithmic: true,
    },
  ),
  candidate('blur', 'detail', ['sharpness', 'noise'], [0, 0.4, 0.6, 0.8, 1, 1.3, 1.6, 2, 2.5, 3.2, 4]),
  candidate('noise', 'detail', ['noise', 'sharpness'], [0, 2, 4, 6, 8, 11, 15, 20, 27, 36, 50]),
  candidate('downscale', 'file', ['side'], [0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1], {
    identity: 1,
  }),
  candidate('jpeg', 'file', ['jpegQuality'], [5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100], { identity: 100 }),
];

function candidate(
  operation: string,
  group: Candidate['group'],
  covers: readonly PropertyKey[],
  values: readonly number[],
  options: Partial<Pick<Candidate, 'identity' | 'isLogarithmic' | 'isSigned' | 'fills'>> = {},
): Candidate {
  const { identity = 0, isLogarithmic = false, isSigned = false, fills = false } = options;
  const text = (low: number, high: number, fill: string, probability = 1): string =>
    `${operation}(${low}..${high}${fills ? `,fill=${fill}` : ''}${probability < 1 ? `,p=${probability}` : ''})`;
  return { operation, group, covers, values, identity, isLogarithmic, isSigned, fills, text };
}
