import type { Rgb } from '../images/pixels.ts';

/**
 * What an operation can be told. In a policy a range takes `low..high`, or one number: how far to go to either side of
 * the identity (or from it, where the operation has but one direction).
 */
export type Parameter = RangeParameter | NumberParameter | ChoiceParameter | FillParameter;

interface Described {
  /** With unit, in a few words. */
  readonly about: string;
}

/** Drawn anew each time, uniformly unless `scale` is logarithmic. */
export interface RangeParameter extends Described {
  readonly kind: 'range';
  readonly min: number;
  readonly max: number;
  readonly integer?: boolean;
  /** Where the operation leaves the image as it is; undefined where no value does. */
  readonly identity: number | undefined;
  /** What one number v means: identity - v..identity + v, identity..v, or v alone. */
  readonly single: 'around' | 'from identity' | 'exactly';
  readonly scale?: 'linear' | 'logarithmic';
  /** The operation gets the range itself and draws from it, perhaps more than once. */
  readonly whole?: true;
  readonly default: readonly [low: number, high: number];
}

/** The same each time. */
export interface NumberParameter extends Described {
  readonly kind: 'number';
  readonly min: number;
  readonly max: number;
  readonly integer?: boolean;
  /** undefined: decided where the policy is used, for instance the network's input side. */
  readonly default: number | undefined;
}

export interface ChoiceParameter<C extends string = string> extends Described {
  readonly kind: 'choice';
  readonly choices: readonly C[];
  readonly default: C;
}

/** A colour as #rrggbb, a grey as 0..255, or one of some words such as `mean`. */
export interface FillParameter<W extends string = string> extends Described {
  readonly kind: 'fill';
  readonly words: readonly W[];
  readonly default: Rgb | W;
}

export type Parameters = Readonly<Record<string, Parameter>>;

/** An argument as a policy holds it. */
export type Argument = readonly [low: number, high: number] | Rgb | number | string | undefined;

/** Of every parameter, the value that was drawn or chosen; of a `whole` range, the range. */
export type Drawn<P extends Parameters> = {
  readonly [K in keyof P]: P[K] extends RangeParameter
    ? P[K] extends { readonly whole: true }
      ? readonly [low: number, high: number]
      : number
    : P[K] extends NumberParameter
      ? P[K]['default'] extends number
        ? number
        : number | undefined
      : P[K] extends ChoiceParameter<infer C>
        ? C
        : P[K] extends { readonly kind: 'fill'; readonly words: readonly (infer W)[] }
          ? Rgb | W
          : Rgb | number | string | undefined;
};
