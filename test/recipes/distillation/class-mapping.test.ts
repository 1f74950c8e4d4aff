import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InputError } from '../../../src/core/errors.ts';
import {
  classesOfTable,
  describeMapping,
  mapByNames,
  mapByTable,
  readClassTable,
} from '../../../src/recipes/distillation/class-mapping.ts';

const IMAGENET = [
  'background',
  'tabby, tabby cat',
  'tiger cat',
  'catamaran',
  'sea lion',
  'lion, king of beasts',
  'hotdog, hot dog',
];

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gleaner-classes-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('classes by their names', () => {
  it('are matched whatever their order, case and joints', () => {
    expect(mapByNames(['T-shirt', 'long_sleeve', 'Hat'], ['hat', 'long sleeve', 't_shirt'])).toEqual({
      by: 'names',
      taught: [
        { student: 0, from: [2] },
        { student: 1, from: [1] },
        { student: 2, from: [0] },
      ],
    });
  });

  it('take one of a list of synonyms, else all that end with the name as a word', () => {
    expect(mapByNames(IMAGENET, ['cat', 'lion', 'hot dog', 'truck']).taught).toEqual([
      { student: 0, from: [1, 2] },
      // Not the sea lion: there is a class of that very name.
      { student: 1, from: [5] },
      { student: 2, from: [6] },
    ]);
  });

  it('give a class to the longest name that it ends with', () => {
    expect(mapByNames(['black tiger cat', 'grey cat'], ['cat', 'tiger cat']).taught).toEqual([
      { student: 0, from: [1] },
      { student: 1, from: [0] },
    ]);
  });

  it('are told, with what is not used', () => {
    const mapping = mapByNames(IMAGENET, ['cat', 'lion', 'truck']);
    expect(describeMapping(mapping, IMAGENET, ['cat', 'lion', 'truck']).join('\n')).toBe(
      `Classes, by their names: cat is "tabby, tabby cat", "tiger cat"; lion is "lion, king of beasts".\n` +
        `Not used: 4 classes of the teacher's (background, catamaran, sea lion and 1 more); what it says of the others is renormalised.\n` +
        `Not taught, learnt from labels alone: truck.`,
    );
    const same = mapByNames(['a', 'b'], ['b', 'a']);
    expect(describeMapping(same, ['a', 'b'], ['b', 'a'])).toEqual([
      "Classes: the teacher knows 2 of the student's 2 by the same names.",
    ]);
  });
});

describe('a table of classes', () => {
  const table = async (text: string): ReturnType<typeof readClassTable> => {
    const path = join(folder, 'table.csv');
    await writeFile(path, text);
    return readClassTable(path);
  };

  it('sums several classes of the teacher to one, by whole names or synonyms', async () => {
    const pairs = await table('teacher,student\n"tabby, tabby cat",pet\ntiger cat,pet\nking of beasts,wild\n');
    expect(classesOfTable(pairs)).toEqual(['pet', 'wild']);
    expect(mapByTable(pairs, IMAGENET, ['wild', 'pet', 'none'], 'x.csv')).toEqual({
      by: 'table',
      taught: [
        { student: 0, from: [5] },
        { student: 1, from: [1, 2] },
      ],
    });
  });

  it('names all that is wrong in it', async () => {
    const pairs = await table('tiger cad,pet\nsea lion,wildd\ntabby,pet\ntabby,wild');
    expect(() => mapByTable(pairs, IMAGENET, ['pet', 'wild'], 'x.csv')).toThrow(
      'In the table of classes x.csv: the teacher has no class "tiger cad" (did you mean "tiger cat"?); ' +
        'the student has no class "wildd" (did you mean "wild"?); "tabby, tabby cat" stands for both "pet" and "wild".',
    );
  });

  it('needs two classes, two cells a line, and to be there', async () => {
    const one = await table('tabby,pet');
    expect(() => mapByTable(one, IMAGENET, ['pet', 'wild'], 'x.csv')).toThrow(/names 1 class .* at least two/);
    await expect(table('tabby,pet,more')).rejects.toThrow(/3 cells in line 1/);
    await expect(table('tabby,')).rejects.toThrow(InputError);
    await expect(readClassTable(join(folder, 'none.csv'))).rejects.toThrow(InputError);
  });
});
