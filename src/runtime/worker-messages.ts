import { AbortedError, FormatError, InputError, ModelError, RunError } from '../core/errors.ts';

/** What goes to a worker thread: calls, answered in the order they came, and the withdrawal of one. */
export type Request =
  | { readonly id: number; readonly method: string; readonly args: readonly unknown[] }
  | { readonly cancel: number };

/** What comes back. */
export type Reply =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: SentError };

/** An error on its way between threads: structured cloning would lose its class. */
export interface SentError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
}

const CLASSES = { InputError, ModelError, FormatError, RunError, AbortedError, TypeError, RangeError } as const;

export function packError(error: unknown): SentError {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error), stack: undefined };
  return { name: error.name, message: error.message, stack: error.stack };
}

export function unpackError({ name, message, stack }: SentError): Error {
  const Class = Object.hasOwn(CLASSES, name) ? CLASSES[name as keyof typeof CLASSES] : Error;
  const error = new Class(message);
  // The stack of the worker says where it happened; the caller's own await chain is added by the engine of JavaScript.
  if (stack !== undefined) error.stack = stack;
  return error;
}
