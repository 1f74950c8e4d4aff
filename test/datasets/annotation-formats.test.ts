import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readDataset, type ReadDatasetOptions } from '../../src/datasets/read.ts';
import { temporaryFolder, writeImages } from './image-folder.ts';

async function folderWith(document: unknown, images = 5): Promise<string> {
  const root = temporaryFolder();
  await writeImages(root, Object.fromEntries(Array.from({ length: images }, (_, i) => [`images/${i}.png`, i])));
  const file = join(root, 'labels.json');
  writeFileSync(file, typeof document === 'string' ? document : JSON.stringify(document));
  return file;
}

async function labelsOf(file: string, options: ReadDatasetOptions = {}): Promise<Record<string, string>> {
  const { samples, classes } = await readDataset(file, options);
  return Object.fromEntries(
    samples.map(({ id, split, label, group }) => [
      id,
      [split, label === undefined ? '-' : classes[label], ...(group === undefined ? [] : [group])].join(' '),
    ]),
  );
}

async function refusal(document: unknown): Promise<string> {
  return readDataset(await folderWith(document)).then(
    () => 'nothing was refused',
    (error: Error) => `${error.name}: ${error.message}`,
  );
}

const image = (id: number, more: object = {}): object => ({ id, file_name: `images/${id}.png`, ...more });
const mark = (id: number, image_id: number, category_id: number): object => ({
  id,
  image_id,
  category_id,
  bbox: [1, 1, 2, 2],
});
const categories = [
  { id: 1, name: 'cat', supercategory: 'animal' },
  { id: 7, name: 'dog' },
  { id: 9, name: 'never seen' },
];

describe('a manifest in the format of COCO', () => {
  it('gives an image the one class of its annotations, however many there are', async () => {
    const file = await folderWith({
      info: { year: 2026 },
      images: [
        image(0),
        image(1, { split: 'val', patient: 'P1' }),
        image(2, { patient: 7 }),
        image(3),
        image(4, { split: 'test' }),
      ],
      annotations: [mark(1, 0, 1), mark(2, 0, 1), mark(3, 1, 7), mark(4, 2, 7), mark(5, 4, 1)],
      categories,
      // What a machine said stands outside of the annotations.
      predictions: [{ image_id: 3, category_id: 9, score: 0.9 }],
    });
    const expected = {
      'images/0.png': 'train cat',
      'images/1.png': 'val dog',
      'images/2.png': 'train dog',
      'images/3.png': 'unlabeled -',
      'images/4.png': 'test cat',
    };
    expect(await labelsOf(file)).toEqual(expected);
    expect(await labelsOf(file, { group: 'patient' })).toEqual({
      ...expected,
      'images/1.png': 'val dog P1',
      'images/2.png': 'train dog 7',
    });
  });

  it('refuses several classes of one image in one sentence, with the file and what is supported', async () => {
    const message = await refusal({
      images: [image(0), image(1), image(2)],
      annotations: [mark(1, 0, 1), mark(2, 1, 1), mark(3, 1, 7), mark(4, 2, 1), mark(5, 2, 9)],
      categories,
    });
    expect(message).toMatch(
      /^InputError: \S+labels\.json, image 1: "images\/1\.png" has 2 labels \(cat, dog\), as it is with 1 other image; one label an image is supported: keep one of them, or leave such images out\.$/,
    );
  });

  it('refuses paths out of its folder and addresses, and reads nothing', async () => {
    const message = await refusal({
      images: [
        image(0),
        image(1, { file_name: '../../etc/passwd' }),
        image(2, { file_name: '/etc/passwd' }),
        image(3, { file_name: 'C:\\photos\\1.png' }),
        image(4, { file_name: 'https://example.org/1.png' }),
        { id: 5, file_name: 'images/../../x.png' },
        { id: 6, file_name: '..\\x.png' },
        { id: 7, file_name: 'file:///etc/passwd' },
      ],
      annotations: [],
      categories,
    });
    expect(message).toMatch(/has 7 bad rows/);
    for (const id of [1, 2, 3, 5, 6])
      expect(message).toMatch(new RegExp(`  image ${id}: ".*" leads out of the manifest's`));
    for (const id of [4, 7])
      expect(message).toMatch(new RegExp(`  image ${id}: ".*" is an address; download the images`));
  });

  it('lists every error at once, with the number of the entry', async () => {
    const message = await refusal({
      images: [
        image(0),
        image(1),
        image(1),
        { id: 8, file_name: 'images/none.png' },
        { id: 9 },
        image(2, { split: 'tset' }),
      ],
      annotations: [mark(1, 0, 5), mark(2, 77, 1), mark(3, 2, 1)],
      categories,
    });
    expect(message).toMatch(/has 7 bad rows/);
    for (const line of [
      /image 1: has the "id" of an earlier image/,
      /image 1: "images\/1\.png" is there already, as image 1/,
      /image 8: "images\/none\.png" does not exist/,
      /image 9: has no path/,
      /image 2: has the split "tset".*did you mean "test"/,
      /annotation 1: has the category 5, which is not in "categories"/,
      /annotation 2: is of the image 77, which is not in "images"/,
    ])
      expect(message).toMatch(line);
  });

  it('says which part is missing', async () => {
    expect(await refusal({ images: [] })).toMatch(/list of objects in "annotations", got none/);
    expect(await refusal({ images: [], annotations: [], categories: [1] })).toMatch(/in "categories", got \[1\]/);
    expect(await refusal({ images: [], annotations: [], categories: [{ id: 3 }] })).toMatch(/category 3 has no name/);
    expect(await refusal({ images: [], annotations: [], categories })).toMatch(/names no image/);
    expect(await refusal({ pictures: [] })).toMatch(
      /FormatError: .*neither COCO's format .* nor an export of Label Studio/,
    );
    expect(await refusal('{"images":')).toMatch(/FormatError: .* is not JSON/);
  });
});

const choice = (...choices: string[]): object => ({
  from_name: 'kind',
  to_name: 'image',
  type: 'choices',
  value: { choices },
});
const task = (id: number, results: object[][], more: object = {}, data: object = {}): object => ({
  id,
  data: { image: `images/${id}.png`, ...data },
  annotations: results.map((result, i) => ({ id: 10 * id + i, completed_by: i, result })),
  predictions: [],
  ...more,
});

describe('an export of Label Studio', () => {
  it('gives an image the class that its annotations choose; predictions are no labels', async () => {
    const file = await folderWith([
      task(0, [[choice('cat')]], { file_upload: 'x.png', meta: {} }),
      task(1, [[choice('dog')], [choice('dog')]], {}, { split: 'test', patient: 'P1' }),
      task(2, [], { predictions: [{ model_version: 'm', score: 0.99, result: [choice('cat')] }] }),
      task(3, [[]], {}, { image: '/data/local-files/?d=images%2F3.png' }),
      task(4, [[choice('dog')]], {}, { image: '/data/local-files/?d=images/4.png' }),
    ]);
    expect(await labelsOf(file)).toEqual({
      'images/0.png': 'train cat',
      'images/1.png': 'test dog',
      'images/2.png': 'unlabeled -',
      'images/3.png': 'unlabeled -',
      'images/4.png': 'train dog',
    });
    expect((await labelsOf(file, { group: 'patient' }))['images/1.png']).toBe('test dog P1');
  });

  it('passes over what was cancelled, and finds the image under any name', async () => {
    const cancelled = { annotations: [{ id: 1, was_cancelled: true, result: [choice('cat')] }] };
    const file = await folderWith([
      task(0, [], cancelled),
      { id: 1, data: { note: 'a photo', photo: 'images/1.png' }, annotations: [{ id: 2, result: [choice('cat')] }] },
    ]);
    expect(await labelsOf(file)).toEqual({ 'images/0.png': 'unlabeled -', 'images/1.png': 'train cat' });
  });

  it.each([
    ['one annotation', [[choice('cat', 'dog')]]],
    ['two annotators', [[choice('cat')], [choice('dog')]]],
  ])('refuses several labels by %s in one sentence', async (_, results) => {
    expect(await refusal([task(0, [[choice('cat')]]), task(1, results)])).toMatch(
      /^InputError: \S+labels\.json, task 1: "images\/1\.png" has 2 labels \(cat, dog\); one label an image is supported: [^.]*\.$/,
    );
  });

  it('refuses paths out of its folder and addresses', async () => {
    const paths = [
      '../x.png',
      '/etc/passwd',
      '/data/local-files/?d=../../etc/passwd',
      '/data/local-files/?d=%2Fetc%2Fpasswd',
    ];
    const addresses = ['s3://bucket/1.png', 'http://localhost:8080/data/1.png', 'data:image/png;base64,iVBORw0KGgo='];
    const message = await refusal([...paths, ...addresses].map((path, id) => task(id, [], {}, { image: path })));
    expect(message).toMatch(/has 7 bad rows/);
    for (const id of paths.keys())
      expect(message).toMatch(new RegExp(`task ${id}: ".*" leads out of the manifest's folder`));
    for (const id of addresses.keys())
      expect(message).toMatch(new RegExp(`task ${paths.length + id}: ".*" is an address; download the images`));
  });

  it('lists every error at once, with the number of the task', async () => {
    const box = { from_name: 'box', to_name: 'image', type: 'rectanglelabels', value: { rectanglelabels: ['cat'] } };
    const message = await refusal([
      task(0, [[choice('cat')]], {}, { image: 'images/none.png' }),
      task(1, [[box]]),
      task(2, [[choice('cat'), { ...choice('good'), from_name: 'quality' }]]),
      task(3, [], { annotations: [{ id: 5 }] }),
      { id: 4, data: { text: 'no image' }, annotations: {} },
    ]);
    for (const line of [
      /task 0: "images\/none\.png" does not exist/,
      /task 1: annotation 10 holds no choices; classes are read from Choices/,
      /task 2: answers several questions \(kind, quality\)/,
      /task 3: annotation 5 has no list "result"/,
      /task 4: "annotations" is \{\}; expected a list/,
      /task 4: has no path/,
    ])
      expect(message).toMatch(line);
  });
});

describe('several labels an image in a manifest of rows', () => {
  it('are refused where a line of JSON holds a list, and read where that holds one', async () => {
    const root = temporaryFolder();
    await writeImages(root, { '0.png': 0, '1.png': 1 });
    const file = join(root, 'data.jsonl');
    writeFileSync(file, '{"path":"0.png","label":["cat"]}\n{"path":"1.png","label":["cat","dog"]}\n');
    await expect(readDataset(file)).rejects.toThrow(
      /data\.jsonl, line 2: "1\.png" has 2 labels \(cat, dog\); one label/,
    );
    writeFileSync(file, '{"path":"0.png","label":["cat"]}\n{"path":"1.png","label":[]}\n');
    expect(await labelsOf(file)).toEqual({ '0.png': 'train cat', '1.png': 'unlabeled -' });
  });

  it('are told where two rows of CSV give one file two', async () => {
    const root = temporaryFolder();
    await writeImages(root, { '0.png': 0 });
    const file = join(root, 'data.csv');
    writeFileSync(file, 'path,label\n0.png,cat\n./0.png,dog\n0.png,cat\n');
    await expect(readDataset(file)).rejects.toThrow(
      /2 bad rows:\n {2}line 3: ".\/0\.png" is there already, on line 2, with the label "cat" and not "dog"; one label an image is supported\n {2}line 4: "0\.png" is there already, on line 2$/,
    );
  });
});
