/**
 * Working memory that is used again: a thread runs one step at a time, and what it leaves is never read by the next.
 * The array that is handed out is at least as long as asked for and holds anything.
 */
export function reused<A extends { readonly length: number }>(make: (length: number) => A): (length: number) => A {
  let array = make(0);
  return (length) => {
    if (array.length < length) array = make(length);
    return array;
  };
}
