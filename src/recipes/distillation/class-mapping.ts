import { readFile } from 'node:fs/promises';
import { parse } from 'csv-parse/sync';
import { InputError, suggestion } from '../../core/errors.ts';
import { compareText, counted, shownList, shownName } from '../../datasets/dataset.ts';

/** Which of a teacher's classes stand for which of the student's. */
export interface ClassMapping {
  /** Of the student's classes those that have any, in their order; `from` are the teacher's, whose probabilities add up. */
  readonly taught: readonly { readonly student: number; readonly from: readonly number[] }[];
  /** Where it comes from: the names alone, or a user's table. */
  readonly by: 'names' | 'table';
}

/** A line of a user's table. */
export interface ClassPair {
  readonly teacher: string;
  readonly student: string;
}

/**
 * Matches classes by their names, whatever their order, case, or what joins words (`-`, `_`, spaces). A teacher's name may be a
 * list of synonyms with commas, as ImageNet's are. A class without one of its name stands for all whose name ends with it:
 * `cat` for `tabby, tabby cat` and `Persian cat`. Every match is to be shown: `hot dog` ends with `dog`, too.
 */
export function mapByNames(teacher: readonly string[], student: readonly string[]): ClassMapping {
  const synonyms = teacher.map(synonymsOf);
  const wanted = student.map(normalised);
  const same = wanted.map((name) => {
    const whole = [...synonyms.keys()].filter((i) => synonyms[i]![0] === name);
    return whole.length > 0 ? whole : [...synonyms.keys()].filter((i) => synonyms[i]!.includes(name));
  });
  const isTaken = new Set(same.flat());
  /** The student's class with the longest name that a synonym ends with. */
  const ending = synonyms.map((names, i) => {
    if (isTaken.has(i)) return undefined;
    const fitting = wanted.filter((name, k) => same[k]!.length === 0 && names.some((one) => one.endsWith(` ${name}`)));
    return fitting.toSorted((a, b) => b.length - a.length)[0];
  });
  const from = wanted.map((name, k) =>
    same[k]!.length > 0 ? same[k]! : [...ending.keys()].filter((i) => ending[i] === name),
  );
  return {
    taught: from.flatMap((classes, k) => (classes.length === 0 ? [] : [{ student: k, from: classes }])),
    by: 'names',
  };
}

/**
 * Reads a user's table: CSV, a teacher's class and the student's class it stands for on each line, with or without the header
 * `teacher,student`. A name with commas stands in double quotes.
 * @throws InputError where it can't be read so
 */
export async function readClassTable(path: string): Promise<ClassPair[]> {
  const fault = (reason: string, cause?: unknown): InputError =>
    new InputError(`The table of classes ${path} ${reason}; expected is CSV: a teacher's class, a student's class.`, {
      cause,
    });
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw fault(`can't be read: ${(error as Error).message}`, error);
  });
  let rows: string[][];
  try {
    rows = parse(text, { bom: true, skip_empty_lines: true, trim: true, relax_column_count: true }) as string[][];
  } catch (error) {
    throw fault(`is no CSV: ${(error as Error).message}`, error);
  }
  const pairs = rows.map((row, i) => {
    const [teacher, student] = row;
    if (row.length !== 2 || !teacher || !student)
      throw fault(
        `has ${counted(row.length, 'cell')} in line ${i + 1} ("${row.join(',').slice(0, 60)}"), not two with a name`,
      );
    return { teacher, student };
  });
  const [first] = pairs;
  const hasHeader = first?.teacher.toLowerCase() === 'teacher' && first.student.toLowerCase() === 'student';
  return hasHeader ? pairs.slice(1) : pairs;
}

/** The student's classes that a table names, sorted. */
export function classesOfTable(pairs: readonly ClassPair[]): string[] {
  return [...new Set(pairs.map(({ student }) => student))].toSorted(compareText);
}

/** @throws InputError naming every unknown name, a class that stands for two, or a table of fewer than two of the student's classes */
export function mapByTable(
  pairs: readonly ClassPair[],
  teacher: readonly string[],
  student: readonly string[],
  source: string,
): ClassMapping {
  const synonyms = teacher.map(synonymsOf);
  const problems: string[] = [];
  const owner = new Map<number, number>();
  for (const pair of pairs) {
    const name = normalised(pair.teacher);
    const whole = teacher.findIndex((one) => normalised(one) === name);
    const found = whole >= 0 ? [whole] : [...synonyms.keys()].filter((i) => synonyms[i]!.includes(name));
    const target = student.indexOf(pair.student);
    if (found.length === 0)
      problems.push(`the teacher has no class "${shownName(pair.teacher)}"${suggestion(pair.teacher, teacher)}`);
    if (found.length > 1)
      problems.push(
        `"${shownName(pair.teacher)}" is ${found.length} of the teacher's classes: ${shownList(found.map((i) => `"${teacher[i]!}"`))}`,
      );
    if (target < 0)
      problems.push(`the student has no class "${shownName(pair.student)}"${suggestion(pair.student, student)}`);
    if (found.length !== 1 || target < 0) continue;
    const before = owner.get(found[0]!);
    if (before !== undefined && before !== target)
      problems.push(`"${teacher[found[0]!]!}" stands for both "${student[before]!}" and "${pair.student}"`);
    owner.set(found[0]!, target);
  }
  if (problems.length > 0) throw new InputError(`In the table of classes ${source}: ${problems.join('; ')}.`);
  const taught = student.flatMap((_, k) => {
    const from = [...owner].flatMap(([i, target]) => (target === k ? [i] : [])).toSorted((a, b) => a - b);
    return from.length === 0 ? [] : [{ student: k, from }];
  });
  if (taught.length < 2)
    throw new InputError(
      `The table of classes ${source} names ${counted(taught.length, 'class', 'classes')} of the student's: at least two are needed to learn what tells them apart.`,
    );
  return { taught, by: 'table' };
}

/** What was mapped and what was not, a line each, to be printed. */
export function describeMapping(
  { taught, by }: ClassMapping,
  teacher: readonly string[],
  student: readonly string[],
): string[] {
  const used = new Set(taught.flatMap(({ from }) => from));
  const left = teacher.filter((_, i) => !used.has(i));
  const untaught = student.filter((_, k) => !taught.some((one) => one.student === k));
  const isPlain = taught.every(
    ({ student: k, from }) => from.length === 1 && normalised(teacher[from[0]!]!) === normalised(student[k]!),
  );
  return [
    isPlain
      ? `Classes: the teacher knows ${taught.length} of the student's ${student.length} by the same names.`
      : `Classes, by ${by === 'names' ? 'their names' : 'the table'}: ${taught
          .map(
            ({ student: k, from }) =>
              `${shownName(student[k]!)} is ${shownList(
                from.map((i) => `"${teacher[i]!}"`),
                5,
              )}`,
          )
          .join('; ')}.`,
    ...(left.length === 0
      ? []
      : [
          `Not used: ${counted(left.length, "class of the teacher's", "classes of the teacher's")} (${shownList(left)}); what it says of the others is renormalised.`,
        ]),
    ...(untaught.length === 0 ? [] : [`Not taught, learnt from labels alone: ${shownList(untaught, 10)}.`]),
  ];
}

function normalised(name: string): string {
  return name
    .toLowerCase()
    .replaceAll(/[\s_-]+/g, ' ')
    .trim();
}

/** The whole name first. */
function synonymsOf(name: string): string[] {
  const parts = name
    .split(',')
    .map(normalised)
    .filter((part) => part !== '');
  return [...new Set([normalised(name), ...parts])];
}
