import { InputError } from '../core/errors.ts';

/**
 * The text of a policy: `call | call | ...`, a call being `name` or `name(argument, ...)`. An argument is a value or
 * `key=value`; a value is a number, a range `low..high`, a colour `#rrggbb`, a quoted text or again calls joined by `|`.
 * A word alone is a call without arguments: whether it names a choice or an operation is decided by who asked for it.
 */
export interface Call {
  readonly name: string;
  readonly arguments: readonly CallArgument[];
  readonly from: number;
  readonly to: number;
}

export interface CallArgument {
  readonly key: string | undefined;
  readonly value: CallValue;
  readonly from: number;
  readonly to: number;
}

export type CallValue =
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'range'; readonly low: number; readonly high: number }
  | { readonly kind: 'colour'; readonly value: readonly [number, number, number] }
  | { readonly kind: 'text'; readonly value: string }
  | { readonly kind: 'calls'; readonly calls: readonly Call[] };

/** An error that quotes the failing part of a policy and says where it stands, from 1. */
export function policyError(text: string, from: number, to: number, problem: string): InputError {
  const part = text.slice(from, Math.max(to, from + 1)).trim();
  const where = part === '' ? 'at its end' : `at character ${from + 1}, "${part}"`;
  return new InputError(`In the policy "${text}", ${where}: ${problem}`);
}

const NUMBER = /[-+]?(?:\d+(?:\.(?!\.)\d*)?|\.(?!\.)\d+)(?:e[-+]?\d+)?/iy;
const WORD = /[a-z_][\w.-]*/iy;

/** @throws InputError where the text can't be read */
export function parseCalls(text: string): Call[] {
  let at = 0;
  const calls = sequence();
  skip();
  if (at < text.length) throw policyError(text, at, at + 1, 'expected "|" or the end.');
  return calls;

  function sequence(): Call[] {
    const found = [call()];
    while (next('|')) found.push(call());
    return found;
  }

  function call(): Call {
    skip();
    const from = at;
    const name = match(WORD);
    if (name === undefined) throw policyError(text, at, at + 1, 'expected the name of an operation.');
    const args: CallArgument[] = [];
    if (next('(') && !next(')')) {
      do args.push(argument());
      while (next(','));
      if (!next(')')) throw policyError(text, from, at + 1, 'expected "," or ")".');
    }
    return { name, arguments: args, from, to: at };
  }

  function argument(): CallArgument {
    skip();
    const from = at;
    const word = match(WORD);
    if (word !== undefined && next('=')) {
      const value = valueAt();
      return { key: word, value, from, to: at };
    }
    at = from;
    const value = valueAt();
    return { key: undefined, value, from, to: at };
  }

  function valueAt(): CallValue {
    skip();
    const from = at;
    const low = match(NUMBER);
    if (low !== undefined) {
      if (!text.startsWith('..', at)) return { kind: 'number', value: Number(low) };
      at += 2;
      const high = match(NUMBER);
      if (high === undefined) throw policyError(text, from, at, 'expected a number after "..".');
      return { kind: 'range', low: Number(low), high: Number(high) };
    }
    if (text[at] === '#') {
      const colour = match(/#[0-9a-f]{6}(?![0-9a-f])/iy);
      if (colour === undefined) throw policyError(text, from, at + 7, 'expected a colour as #rrggbb.');
      const [red, green, blue] = [1, 3, 5].map((i) => Number.parseInt(colour.slice(i, i + 2), 16));
      return { kind: 'colour', value: [red!, green!, blue!] };
    }
    if (text[at] === "'" || text[at] === '"') {
      const quote = text[at]!;
      let value = '';
      for (at++; at < text.length && text[at] !== quote; at++) {
        if (text[at] === '\\') at++;
        value += text[at] ?? '';
      }
      if (text[at] !== quote) throw policyError(text, from, text.length, 'this quoted text has no end.');
      at++;
      return { kind: 'text', value };
    }
    return { kind: 'calls', calls: sequence() };
  }

  function skip(): void {
    while (/\s/.test(text[at] ?? '')) at++;
  }

  function next(symbol: string): boolean {
    skip();
    if (text[at] !== symbol) return false;
    at++;
    return true;
  }

  function match(pattern: RegExp): string | undefined {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found === null) return undefined;
    at = pattern.lastIndex;
    return found[0];
  }
}
