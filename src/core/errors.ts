/**
 * Errors a caller may want to catch. House rule: a message says what was expected, what came, and where.
 * Programming errors stay `TypeError` (wrong kind) and `RangeError` (value out of range).
 */

/** Bad input from the outside (data, flags, files). The command line ends with exit code 2. */
export class InputError extends Error {
  override name = 'InputError';
}

/** A model file that can't be read, run or trained as asked. Exit code 2. */
export class ModelError extends InputError {
  override name = 'ModelError';
}

/** A file whose content breaks its own format (safetensors, checkpoints, manifests). Exit code 2. */
export class FormatError extends InputError {
  override name = 'FormatError';
}

/** A fault during work: the run folder stays resumable. Exit code 1. */
export class RunError extends Error {
  override name = 'RunError';
}

/** The caller's `AbortSignal` fired (Ctrl-C on the command line, exit code 130). */
export class AbortedError extends Error {
  override name = 'AbortedError';
}

/** The closest of `candidates` to `word` by edit distance, or undefined if none is near. */
export function didYouMean(word: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** ` (did you mean "x"?)` or an empty string, to append to a message. */
export function suggestion(word: string, candidates: Iterable<string>): string {
  const near = didYouMean(word, candidates);
  return near === undefined ? '' : ` (did you mean "${near}"?)`;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitute = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, substitute));
    }
    row = next;
  }
  return row[b.length]!;
}
