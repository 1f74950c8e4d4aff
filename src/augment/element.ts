import type { Argument, Drawn, Parameters } from './parameters.ts';
import type { RandomStream } from '../core/random.ts';
import type { Operation, Site } from './operation.ts';
import type { Step } from './step.ts';

/** An entry of a policy, checked: plain data, every parameter with its value. */
export interface Item {
  readonly name: string;
  readonly arguments: Readonly<Record<string, Argument>>;
  /** Quoted texts: names of classes. */
  readonly texts: readonly string[];
  /** What stands inside, where the element holds others. */
  readonly sequences: readonly (readonly Item[])[];
}

/** What a drawing depends on beside the image. */
export interface DrawSite extends Site {
  /** The image's class, where it has one. */
  readonly label: string | undefined;
  /**
   * Where several views of an image are drawn that differ in `augmix` alone: the clean one goes without it, each other
   * draws it from a stream of its own. All else is drawn from `stream`, the same numbers for every view.
   */
  readonly view?: 'clean' | RandomStream;
}

/** A name of the policy language that varies one image. */
export interface ImageElement {
  readonly level: 'image';
  readonly name: string;
  readonly about: string;
  readonly parameters: Parameters;
  /** What it may hold: nothing, one sequence of items, or several. */
  readonly sequences: 'none' | 'one' | 'many';
  /** Whether it is told names of classes. */
  readonly texts: boolean;
  /** @throws InputError where arguments do not go together; `problem` makes it quote the item */
  readonly check?: (item: Item, problem: (message: string) => Error) => void;
  /** Steps for one drawing; `draw` does the same for items inside. */
  readonly draw: (item: Item, site: DrawSite, draw: DrawSequence) => readonly Step[];
}

export type DrawSequence = (items: readonly Item[], site: DrawSite) => readonly Step[];

/** A name of the policy language that works on whole batches: mixing, repeated augmentation. */
export interface BatchElement {
  readonly level: 'batch';
  readonly name: string;
  readonly about: string;
  readonly parameters: Parameters;
  readonly sequences: 'none' | 'many';
  readonly texts: false;
  readonly check?: (item: Item, problem: (message: string) => Error) => void;
}

export type Element = ImageElement | BatchElement;

/** How often an item is done. */
export function probability(value: number): Parameters[string] {
  return { kind: 'number', about: 'how often, 0..1', min: 0, max: 1, default: value };
}

/** An operation as a name of the policy language. */
export function elementOf(operation: Operation): ImageElement {
  const p = probability(operation.probability);
  return {
    level: 'image',
    name: operation.name,
    about: operation.about,
    parameters: operation.probabilityFirst ? { p, ...operation.parameters } : { ...operation.parameters, p },
    sequences: 'none',
    texts: false,
    check: ({ arguments: given }, problem) => {
      const fault = operation.check?.(given);
      if (fault !== undefined) throw problem(fault);
    },
    draw: (item, site) => {
      if (site.stream.uniform() >= (item.arguments['p'] as number)) return [];
      return operation.steps(drawValues(operation.parameters, item.arguments, site), site);
    },
  };
}

function drawValues(parameters: Parameters, given: Item['arguments'], { stream }: Site): Drawn<Parameters> {
  const values: Record<string, Argument> = {};
  for (const [name, parameter] of Object.entries(parameters)) {
    const argument = given[name];
    const isDrawn = parameter.kind === 'range' && !parameter.whole;
    values[name] = isDrawn ? drawRange(parameter, argument as [number, number], stream) : argument;
  }
  return values as Drawn<Parameters>;
}

function drawRange(
  { integer, scale }: { integer?: boolean; scale?: 'linear' | 'logarithmic' },
  [low, high]: readonly [number, number],
  stream: Site['stream'],
): number {
  const share = stream.uniform();
  if (integer) return low + Math.floor(share * (high - low + 1));
  if (scale === 'logarithmic') return low * (high / low) ** share;
  return low + (high - low) * share;
}
