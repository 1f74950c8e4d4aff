import type { ParameterGroup } from '../models/parameter-groups.ts';
import type { StepParameter } from './step-options.ts';

export interface PlanOptions {
  /** Peak learning rate of the body. */
  readonly rate: number;
  /** Peak learning rate of the head; default that of the body. */
  readonly headRate?: number;
  /** Names of the head's parameters; default: none has a rate of its own. */
  readonly head?: readonly string[];
  /** Factor on the body's rate for each stage away from the head, 0..1; default 1. */
  readonly layerDecay?: number;
}

/** Which group each parameter is in, and the peak rate of each group. */
export interface ParameterPlan {
  readonly parameters: readonly StepParameter[];
  readonly rates: Readonly<Record<string, number>>;
}

/**
 * Sorts parameters into groups of one learning rate: the head, and the body or its stages, whose rates fall
 * away from the head (layer-wise decay; Clark et al. 2020, ELECTRA, arXiv:2003.10555). Weight decay is for
 * weights, not for norms and biases.
 * @throws RangeError for a rate or a decay out of range.
 */
export function planParameters(groups: readonly ParameterGroup[], options: PlanOptions): ParameterPlan {
  const { rate, headRate = rate, layerDecay = 1 } = options;
  for (const value of [rate, headRate])
    if (!(value > 0 && Number.isFinite(value))) throw new RangeError(`A learning rate must be positive, got ${value}.`);
  if (!(layerDecay > 0 && layerDecay <= 1))
    throw new RangeError(`Layer-wise decay must be over 0 and at most 1, got ${layerDecay}.`);
  const head = new Set(options.head);
  const isHead = ({ name }: ParameterGroup): boolean => head.has(name);
  const top = Math.max(...groups.filter(isHead).map(({ stage }) => stage), ...groups.map(({ stage }) => stage));
  const rates: Record<string, number> = {};
  const parameters = groups.map((group) => {
    const name = isHead(group) ? 'head' : layerDecay === 1 ? 'body' : `stage${group.stage}`;
    rates[name] = isHead(group) ? headRate : rate * layerDecay ** (top - group.stage);
    return { name: group.name, group: name, decay: group.kind === 'weight' };
  });
  return { parameters, rates };
}

/** Which parameters train from an epoch on, counted from 1. */
export interface UnfreezePhase {
  readonly fromEpoch: number;
  readonly names: readonly string[];
}

/**
 * Gradual unfreezing (Howard and Ruder 2018, ULMFiT, arXiv:1801.06146): the head alone in the first epoch, then more
 * and more stages from the head down, evenly, until all train after `epochs` of them.
 */
export function unfreezePhases(groups: readonly ParameterGroup[], epochs: number): UnfreezePhase[] {
  if (!Number.isSafeInteger(epochs) || epochs < 0)
    throw new RangeError(`Unfreezing takes a whole number of epochs, got ${epochs}.`);
  const phases: UnfreezePhase[] = [];
  const top = Math.max(...groups.map(({ depth }) => depth));
  for (let epoch = 1; epoch <= epochs + 1; epoch++) {
    // The deepest trained first; a tolerance for the division by the number of stages.
    const lowest = epochs === 0 ? 0 : top * (1 - (epoch - 1) / epochs) - 1e-9;
    const names = groups.filter(({ depth }) => depth >= lowest).map(({ name }) => name);
    if (names.length > (phases.at(-1)?.names.length ?? 0)) phases.push({ fromEpoch: epoch, names });
  }
  return phases;
}
