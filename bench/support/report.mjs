// What every benchmark prints: a table for people, or with `--json` nothing but JSON lines on standard output, one a
// row; words then go to standard error.

/** Lines of one benchmark. `columns`: { title, width, text(row) }. */
export class Report {
  #name;
  #json;
  #columns;
  #headed = false;

  constructor(name, { json = false, columns }) {
    this.#name = name;
    this.#json = json;
    this.#columns = columns;
  }

  /** Words. */
  say(line) {
    if (this.#json) console.error(line);
    else console.log(line);
    this.#headed = false;
  }

  /** One row: a line at once, so that a long run can be watched. */
  row(row) {
    if (this.#json) console.log(JSON.stringify({ bench: this.#name, ...row }));
    else {
      if (!this.#headed) console.log(this.#line((column) => column.title));
      console.log(this.#line((column) => column.text(row) ?? ''));
      this.#headed = true;
    }
  }

  #line(cell) {
    return this.#columns
      .map((column) => {
        const text = String(cell(column));
        // Numbers stand under each other.
        return column.left ? text.padEnd(column.width) : text.padStart(column.width);
      })
      .join('  ')
      .trimEnd();
  }
}

/** A number for a table; a dash where there is none. */
export const figure = (value, digits = 1, unit = '') =>
  value === null || value === undefined ? '-' : `${value.toFixed(digits)}${unit}`;

/** A number for a JSON line: four digits are more than a measurement has; null where there is none. */
export const round = (value) =>
  value === null || value === undefined || !Number.isFinite(value) ? null : Number(value.toPrecision(4));

/** a / b, null where either is missing. */
export const ratio = (a, b) => (a === null || b === null || a === undefined || b === undefined ? null : a / b);

/** Of an empty list: null. */
export function median(list) {
  const sorted = list.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  if (sorted.length === 0) return null;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * Medians of measurements that take turns, so that a disturbance of the machine meets all alike.
 * @param arms name to a function that measures once; one that gives undefined (it does not work) is not asked again
 * @returns name to median, null where nothing was measured
 */
export async function interleaved(arms, rounds) {
  const taken = new Map(Object.keys(arms).map((name) => [name, []]));
  const open = new Map(Object.entries(arms));
  for (let i = 0; i < rounds; i++)
    for (const [name, measure] of open) {
      const value = await measure(i);
      if (value === undefined) open.delete(name);
      else taken.get(name).push(value);
    }
  return Object.fromEntries([...taken].map(([name, values]) => [name, median(values)]));
}

/** Whether a name is in a list of an option such as `--networks a,b`; without the option all are. */
export const chosen = (list, name) => list === undefined || list.split(',').includes(name);

/** `4,8` as numbers. */
export const numbers = (list) => list.split(',').filter(Boolean).map(Number);
