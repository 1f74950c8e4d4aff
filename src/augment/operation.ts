import type { RandomStream } from '../core/random.ts';
import type { Size } from '../images/pixels.ts';
import type { Argument, Drawn, Parameters } from './parameters.ts';
import type { Step } from './step.ts';

/** What an operation knows beside its parameters. */
export interface Site {
  /** The image as it comes to the operation. */
  readonly image: Size;
  /** The network's input. */
  readonly input: Size;
  /** Of this drawing alone; an operation may take further random numbers from it (where a box lies, a grain of noise). */
  readonly stream: RandomStream;
}

/** What it changes; for documentation, previews and the choice of what is searched. */
export type OperationGroup = 'colour' | 'geometry' | 'crop' | 'blur' | 'noise' | 'weather' | 'erase';

/** One way to vary an image. It leaves labels as they are; what could change their meaning is in `risk`. */
export interface Operation<P extends Parameters = Parameters> {
  readonly name: string;
  readonly about: string;
  readonly group: OperationGroup;
  readonly parameters: P;
  /** How often it is done, unless a policy says (`p=`). */
  readonly probability: number;
  /** Whether a policy's first value without a key is the probability, as in `erase(0.25)`. */
  readonly probabilityFirst?: boolean;
  /** Classes whose meaning it can change. */
  readonly risk?: 'mirrored' | 'turned' | 'recoloured' | 'cut';
  /** What is wrong with arguments that do not go together, as a sentence. */
  readonly check?: (given: Readonly<Record<string, Argument>>) => string | undefined;
  readonly steps: (values: Drawn<P>, site: Site) => readonly Step[];
  /** How it is made gradually stronger; without it, it has but one strength (flips). */
  readonly strength?: Strength<P>;
}

export interface Strength<P extends Parameters> {
  /** Whether it has two directions, taken with equal chance. */
  readonly signed: boolean;
  /**
   * What the parameters are at a level between 0, where the image stays as it is, and 1; the others keep their default.
   * Strictly monotone.
   */
  readonly at: (level: number, sign: 1 | -1) => Partial<Drawn<P>>;
}

/** Checks an operation's types while it keeps those of its parameters. */
export function operation<const P extends Parameters>(definition: Operation<P>): Operation {
  return definition as unknown as Operation;
}
