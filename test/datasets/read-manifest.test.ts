import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readDataset } from '../../src/datasets/read.ts';
import { temporaryFolder, writeImages } from './image-folder.ts';

async function folderWith(images: number, manifest: string, name = 'data.csv'): Promise<string> {
  const root = temporaryFolder();
  await writeImages(root, Object.fromEntries(Array.from({ length: images }, (_, i) => [`images/${i}.png`, i])));
  writeFileSync(join(root, name), manifest);
  return join(root, name);
}

async function labelsOf(manifest: string): Promise<Record<string, string>> {
  const { samples, classes } = await readDataset(manifest);
  return Object.fromEntries(
    samples.map(({ id, split, label }) => [id, `${split} ${label === undefined ? '-' : classes[label]}`]),
  );
}

describe('readDataset of a manifest', () => {
  const expected = {
    'images/0.png': 'train cat',
    'images/1.png': 'train dog, brown',
    'images/2.png': 'test cat',
    'images/3.png': 'unlabeled -',
  };

  it.each([
    [
      'plain',
      'path,label,split\nimages/0.png,cat,train\nimages/1.png,"dog, brown",\n./images/2.png,cat,test\nimages/3.png,,\n',
    ],
    [
      'a byte order mark, CRLF and other names',
      '\uFEFFImage,Class,Set\r\nimages/0.png,cat,train\r\nimages/1.png,"dog, brown",\r\nimages//2.png,cat,Test\r\nimages/3.png,,unlabeled\r\n',
    ],
    [
      'semicolons',
      'file;label;split\nimages/0.png;cat;train\nimages/1.png;dog, brown;\nimages/2.png;cat;test\nimages/3.png;;\n',
    ],
  ])('reads CSV: %s', async (_, text) => {
    expect(await labelsOf(await folderWith(4, text))).toEqual(expected);
  });

  it('reads TSV and JSON lines', async () => {
    const tsv =
      'path\tlabel\tsplit\nimages/0.png\tcat\ttrain\nimages/1.png\tdog, brown\ttrain\nimages/2.png\tcat\ttest\nimages/3.png\t\t\n';
    expect(await labelsOf(await folderWith(4, tsv, 'data.tsv'))).toEqual(expected);
    const lines = [
      { path: 'images/0.png', label: 'cat' },
      { file: 'images/1.png', class: 'dog, brown', split: 'train' },
      { image: 'images/2.png', label: 'cat', split: 'test' },
      { path: 'images/3.png', label: null },
    ];
    const text = `\uFEFF${lines.map((line) => JSON.stringify(line)).join('\r\n')}\r\n\r\n`;
    expect(await labelsOf(await folderWith(4, text, 'data.jsonl'))).toEqual(expected);
  });

  it('lists every bad row with its line, all at once', async () => {
    const manifest = await folderWith(
      4,
      [
        'path,label,split',
        'images/0.png,cat,train',
        'images/none.png,cat,train',
        'images/1.png,"two\nlines",train',
        './images/0.png,dog,train',
        '../outside.png,cat,train',
        '/etc/passwd,cat,train',
        'C:\\photos\\1.png,cat,train',
        'images/2.png,cta,test',
        'images/3.png,cat,tset',
        ',cat,train',
        'images,cat,train',
        'images/3.png,,test',
        'images/3.png,cat',
      ].join('\n'),
    );
    const message = await readDataset(manifest).then(
      () => '',
      (error: Error) => error.message,
    );
    expect(message).toMatch(/has 11 bad rows/);
    for (const line of [
      /line 3: "images\/none\.png" does not exist/,
      /line 6: ".\/images\/0\.png" is there already, on line 2/,
      /line 7: "\.\.\/outside\.png" leads out/,
      /line 8: "\/etc\/passwd" leads out/,
      /line 9: .* leads out/,
      /line 10: the label "cta" of test is unknown.*did you mean "cat"/,
      /line 11: has the split "tset".*did you mean "test"/,
      /line 12: has no path/,
      /line 13: "images" is not a file/,
      /line 14: "images\/3\.png" is in "test" and has no label/,
      /line 15: has 2 fields, the header has 3/,
    ])
      expect(message).toMatch(line);
  });

  it('lists bad lines of JSON', async () => {
    const manifest = await folderWith(
      1,
      '{"path":"images/0.png","label":"a"}\n{"path":\n[1]\n{"path":["x"]}\n',
      'd.jsonl',
    );
    await expect(readDataset(manifest)).rejects.toThrow(
      /4 bad rows:\n.*line 2: is not JSON.*\n.*line 3: is not a JSON object\n.*line 4: "path" is \["x"\].*\n.*line 4: has no path/,
    );
  });

  it('does not follow a link out of its folder unless asked', async () => {
    const manifest = await folderWith(2, 'path,label\nimages/0.png,a\nimages/link.png,b\n');
    const outside = temporaryFolder();
    await writeImages(outside, { 'x.png': 7 });
    symlinkSync(join(outside, 'x.png'), join(manifest, '..', 'images', 'link.png'));
    await expect(readDataset(manifest)).rejects.toThrow(/line 3: .* is a link that leads out/);
    expect((await readDataset(manifest, { followLinks: true })).samples.length).toBe(2);
  });

  it('names the columns that are missing', async () => {
    await expect(readDataset(await folderWith(1, 'a,b\n1,2\n'))).rejects.toThrow(
      /columns "path".* and "label".*"a", "b"/,
    );
    await expect(readDataset(await folderWith(1, ''))).rejects.toThrow(/is empty/);
    await expect(readDataset(await folderWith(1, 'path,label\n'))).rejects.toThrow(/names no image/);
    await expect(readDataset(await folderWith(1, 'path,label\nimages/0.png,\n'))).rejects.toThrow(/names no class/);
    await expect(readDataset(await folderWith(1, 'path,label\n"images/0.png,a\n'))).rejects.toThrow(/not valid CSV/);
  });

  it('refuses what is not UTF-8', async () => {
    const manifest = await folderWith(1, '');
    writeFileSync(manifest, Buffer.from('path,label\nimages/0.png,\xe9t\xe9\n', 'latin1'));
    await expect(readDataset(manifest)).rejects.toThrow(/not UTF-8/);
  });

  it('quarantines an image that is none, as in a folder', async () => {
    const manifest = await folderWith(2, 'path,label\nimages/0.png,a\nimages/1.png,b\nimages/x.jpg,b\n');
    writeFileSync(join(manifest, '..', 'images', 'x.jpg'), 'text');
    const { layout, root, quarantined } = await readDataset(manifest);
    expect([layout, root]).toEqual(['manifest', join(manifest, '..')]);
    expect(quarantined.map(({ file }) => file)).toEqual(['images/x.jpg']);
  });
});
