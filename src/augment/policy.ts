import { suggestion } from '../core/errors.ts';
import type { Size } from '../images/pixels.ts';
import { ELEMENTS } from './elements.ts';
import type { DrawSite, Element, Item } from './element.ts';
import { parseCalls, policyError, type Call, type CallArgument } from './grammar.ts';
import type { Argument, Parameter, Parameters } from './parameters.ts';
import { timmRandAugment } from './policies/timm-rand-augment.ts';
import { PRESETS } from './presets.ts';
import type { Step } from './step.ts';

/** An augmentation, checked. Plain data: it can be sent to a thread, and `text` says all of it. */
export interface Policy {
  /** As `parsePolicy` reads it again. */
  readonly text: string;
  /** What is done to each image, in this order. */
  readonly image: readonly Item[];
  /** What is done to whole batches. */
  readonly batch: readonly Item[];
}

/**
 * Reads a policy such as `randomresizedcrop(224)|flip|randaugment(2,9)|erase(0.25)`; the grammar is in `grammar.ts`, the
 * names in docs/augmentation.md.
 * @throws InputError that quotes the failing part and says where it stands
 * @example
 * const policy = parsePolicy('rotate(10) | brightness(0.2, p=0.5)');
 */
export function parsePolicy(text: string): Policy {
  const items = text.trim() === '' ? [] : bindAll(text, parseCalls(text), undefined);
  const isBatch = ({ name }: Item): boolean => ELEMENTS.get(name)!.level === 'batch';
  const [image, batch] = [items.filter((item) => !isBatch(item)), items.filter(isBatch)];
  checkPlaces(text, image, batch);
  return { text: formatItems([...image, ...batch]), image, batch };
}

/** @throws InputError where an item stands where it can't, or twice */
function checkPlaces(text: string, image: readonly Item[], batch: readonly Item[]): void {
  const all = [...image.flatMap(withInner), ...batch];
  for (const name of ['evaluationcrop', 'repeat']) {
    const count = all.filter((item) => item.name === name).length;
    if (count > 1)
      throw policyError(text, text.toLowerCase().lastIndexOf(name), text.length, `"${name}" stands ${count} times.`);
  }
  const mixers = batch.filter(({ name }) => name !== 'repeat');
  if (mixers.length > 1)
    throw policyError(
      text,
      text.toLowerCase().lastIndexOf(mixers[1]!.name),
      text.length,
      'images are mixed once: switch(cutmix(1),mixup(0.2)) takes one of several ways each time.',
    );
  const at = all.findIndex(({ name }) => name === 'evaluationcrop');
  if (at > 0)
    throw policyError(
      text,
      text.toLowerCase().indexOf('evaluationcrop'),
      text.length,
      'this can only stand at the beginning.',
    );
}

function withInner(item: Item): Item[] {
  return [item, ...item.sequences.flat().flatMap(withInner)];
}

/** A policy of items that were made without a text. */
export function withText(image: readonly Item[]): Policy {
  return { text: formatItems(image), image, batch: [] };
}

/** Whether images differ at all from what evaluation sees. */
export function varies({ image, batch }: Policy): boolean {
  return image.some(({ name }) => name !== 'evaluationcrop') || batch.length > 0;
}

/** What mixes images of a batch, and their labels. */
export function mixerOf({ batch }: Policy): Item | undefined {
  return batch.find(({ name }) => name !== 'repeat');
}

/** Whether labels are mixed. */
export function mixes(policy: Policy): boolean {
  return mixerOf(policy) !== undefined;
}

/** How often an image stands in a batch. */
export function repeatsOf({ batch }: Policy): number {
  return (batch.find(({ name }) => name === 'repeat')?.arguments['times'] ?? 1) as number;
}

/** Whether images are read from their files each time, instead of evaluation's crops. */
export function readsFiles({ image }: Policy): boolean {
  return image.length > 0 && image[0]!.name !== 'evaluationcrop';
}

/** Whether a name stands in it, be it inside another. */
export function uses({ image, batch }: Policy, name: string): boolean {
  return [...image, ...batch].flatMap(withInner).some((item) => item.name === name);
}

/** The steps of one drawing of a policy. */
export function drawPolicy({ image }: Policy, site: DrawSite): readonly Step[] {
  return drawSequence(image, site);
}

/** The size that an image has after some steps. */
export function sizeAfter(steps: readonly Step[], image: Size): Size {
  let { width, height } = image;
  for (const step of steps) if ('size' in step && step.size !== undefined) ({ width, height } = step.size);
  return { width, height };
}

function drawSequence(items: readonly Item[], site: DrawSite): Step[] {
  const steps: Step[] = [];
  let { image } = site;
  for (const item of items) {
    const element = ELEMENTS.get(item.name)!;
    if (element.level !== 'image') continue;
    const drawn = element.draw(item, { ...site, image }, drawSequence);
    image = sizeAfter(drawn, image);
    steps.push(...drawn);
  }
  return steps;
}

/** Presets are replaced by what they stand for. */
function bindAll(text: string, calls: readonly Call[], inside: Element | undefined): Item[] {
  return calls.flatMap((call) => {
    const preset = PRESETS.get(call.name.toLowerCase());
    if (preset === undefined) return [bind(text, call, inside)];
    if (call.arguments.length > 0) throw policyError(text, call.from, call.to, `"${call.name}" takes no arguments.`);
    return bindAll(preset, parseCalls(preset), inside);
  });
}

/** @param inside what holds the call, if anything does */
function bind(text: string, call: Call, inside: Element | undefined): Item {
  if (/^rand-/i.test(call.name)) {
    const wrong = (message: string): Error => policyError(text, call.from, call.to, message);
    return bind(text, timmRandAugment(call, wrong), inside);
  }
  const element = ELEMENTS.get(call.name.toLowerCase());
  if (element === undefined)
    throw policyError(
      text,
      call.from,
      call.from + call.name.length,
      `there is no operation of this name${suggestion(call.name, [...ELEMENTS.keys(), ...PRESETS.keys()])}.`,
    );
  const problem = (message: string): Error => policyError(text, call.from, call.to, message);
  if (inside !== undefined && inside.level !== element.level)
    throw problem(
      element.level === 'batch'
        ? `this works on whole batches and can't stand inside "${inside.name}".`
        : `this works on single images and can't stand inside "${inside.name}".`,
    );
  const item = bindArguments(text, call, element, problem);
  element.check?.(item, problem);
  return item;
}

function bindArguments(text: string, call: Call, element: Element, problem: (message: string) => Error): Item {
  const { parameters } = element;
  const given = new Map<string, Argument>();
  const texts: string[] = [];
  const sequences: Item[][] = [];
  // What is given without a key goes to the parameters in their order; `p` has its key unless it stands first.
  const order = Object.keys(parameters).filter((name, i) => name !== 'p' || i === 0);
  for (const argument of call.arguments) {
    const { key, value, from, to } = argument;
    const wrong = (message: string): Error => policyError(text, from, to, message);
    if (key === undefined && value.kind === 'text' && element.texts) texts.push(value.value);
    else if (key === undefined && value.kind === 'calls' && element.sequences !== 'none')
      sequences.push(bindAll(text, value.calls, element));
    else {
      const name = key?.toLowerCase() ?? order.find((candidate) => !given.has(candidate));
      if (name === undefined) throw wrong(`"${element.name}" takes ${takes(order)}.`);
      const parameter = parameters[name];
      if (parameter === undefined)
        throw wrong(
          `"${element.name}" has no parameter "${key}"${suggestion(key!, Object.keys(parameters))}; it has ${Object.keys(parameters).join(', ')}.`,
        );
      if (given.has(name)) throw wrong(`"${name}" is given twice.`);
      given.set(name, readArgument(parameter, name, argument, wrong));
    }
  }
  if (element.sequences === 'one' && sequences.length !== 1)
    throw problem(`"${element.name}" needs one sequence of operations, got ${sequences.length}.`);
  if (element.sequences === 'many' && sequences.length === 0)
    throw problem(`"${element.name}" needs at least one sequence of operations.`);
  const entries = Object.entries(parameters).map(([name, parameter]) => [
    name,
    given.has(name) ? given.get(name) : parameter.default,
  ]);
  return { name: element.name, arguments: Object.fromEntries(entries), texts, sequences };
}

function takes(order: readonly string[]): string {
  return order.length === 0
    ? 'no value without a key'
    : `at most ${order.length} values without a key (${order.join(', ')})`;
}

function readArgument(
  parameter: Parameter,
  name: string,
  { value }: CallArgument,
  wrong: (message: string) => Error,
): Argument {
  const word =
    value.kind === 'calls' && value.calls.length === 1 && value.calls[0]!.arguments.length === 0
      ? value.calls[0]!.name.toLowerCase()
      : undefined;
  if (parameter.kind === 'choice') {
    if (word !== undefined && parameter.choices.includes(word)) return word;
    const near = word === undefined ? '' : suggestion(word, parameter.choices);
    throw wrong(`"${name}" must be one of ${parameter.choices.join(', ')}${near}.`);
  }
  if (parameter.kind === 'fill') {
    if (value.kind === 'colour') return value.value;
    if (value.kind === 'number' && value.value >= 0 && value.value <= 255)
      return [value.value, value.value, value.value];
    if (word !== undefined && parameter.words.includes(word)) return word;
    throw wrong(`"${name}" must be #rrggbb, a grey from 0 to 255, ${parameter.words.join(' or ')}.`);
  }
  const { min, max, integer } = parameter;
  const bounds = `${integer ? 'an integer' : 'a number'} from ${min} to ${max}`;
  const isValid = (number: number): boolean => number >= min && number <= max && (!integer || Number.isInteger(number));
  if (parameter.kind === 'number') {
    if (value.kind !== 'number' || !isValid(value.value)) throw wrong(`"${name}" must be ${bounds}.`);
    return value.value;
  }
  if (value.kind !== 'number' && value.kind !== 'range')
    throw wrong(`"${name}" must be ${bounds}, or a range of them (low..high).`);
  const [low, high] = value.kind === 'range' ? [value.low, value.high] : rangeOf(parameter, value.value);
  if (low > high) throw wrong(`the range must run from low to high, got ${low}..${high}.`);
  if (!isValid(low) || !isValid(high))
    throw wrong(
      `"${name}" must lie within ${min} to ${max}${integer ? ', in whole numbers' : ''}, got ${low}..${high}.`,
    );
  return [low, high];
}

function rangeOf(
  { identity, single, min }: Extract<Parameter, { kind: 'range' }>,
  value: number,
): readonly [number, number] {
  if (single === 'exactly' || identity === undefined) return [value, value];
  if (single === 'from identity') return value < identity ? [value, identity] : [identity, value];
  // A factor can't go below its least value, however far it goes up.
  return [Math.max(min, identity - value), identity + value];
}

function formatItems(items: readonly Item[]): string {
  return items.map(formatItem).join('|');
}

/** Only what differs from the defaults, in the order of the parameters. */
function formatItem({ name, arguments: given, texts, sequences }: Item): string {
  const { parameters } = ELEMENTS.get(name)!;
  const parts = [...texts.map((text) => `'${text.replaceAll(/['\\]/g, '\\$&')}'`), ...sequences.map(formatItems)];
  parts.push(...formatArguments(parameters, given, sequences.length > 0));
  return parts.length === 0 ? name : `${name}(${parts.join(',')})`;
}

/** @param keyed beside sequences, a word without its key would be one of them */
function formatArguments(parameters: Parameters, given: Item['arguments'], keyed: boolean): string[] {
  const parts: string[] = [];
  let inOrder = !keyed;
  for (const [key, parameter] of Object.entries(parameters)) {
    const value = given[key];
    if (value === undefined || JSON.stringify(value) === JSON.stringify(parameter.default)) {
      inOrder = false;
      continue;
    }
    const text = formatArgument(parameter, value);
    parts.push(inOrder && key !== 'p' ? text : `${key}=${text}`);
  }
  return parts;
}

function formatArgument(parameter: Parameter, value: NonNullable<Argument>): string {
  if (typeof value !== 'object') return String(value);
  if (parameter.kind === 'range') return `${value[0]}..${value[1]}`;
  return `#${(value as readonly number[]).map((channel) => Math.round(channel).toString(16).padStart(2, '0')).join('')}`;
}
