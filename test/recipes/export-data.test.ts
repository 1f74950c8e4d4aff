import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { csvRow } from '../../src/core/csv.ts';
import type { Dataset } from '../../src/datasets/dataset.ts';
import { readDataset } from '../../src/datasets/read.ts';
import { DATA_FORMATS, exportData, type DataFormat } from '../../src/recipes/export-data.ts';
import { temporaryFolder, writeImages } from '../datasets/image-folder.ts';

const FILE: Readonly<Record<DataFormat, string>> = {
  csv: 'out.csv',
  jsonl: 'out.jsonl',
  coco: 'out.json',
  'label-studio': 'out.json',
  parquet: 'out.parquet',
};
/** Names that a spreadsheet runs, that need quotes, and that a parser might take for something else. */
const CLASSES = ['=cmd()', '"dog", brown', '<b>&é\u{1F600}', "'=x"];

/** A manifest of every split, with groups and without, and odd names. */
async function photos(): Promise<string> {
  const root = temporaryFolder();
  const rows: string[][] = [];
  const splits = ['train', 'train', 'val', 'test', 'unlabeled'];
  for (let i = 0; i < 20; i++) {
    const [split, label] = [splits[i % 5]!, CLASSES[i % 4]!];
    rows.push([
      `${['-', '=', '', 'a b/', 'é,"/'][i % 5]}${i}.png`,
      split === 'unlabeled' ? '' : label,
      split,
      i % 3 === 0 ? '' : `p${i % 7}`,
    ]);
  }
  await writeImages(root, Object.fromEntries(rows.map(([path], i) => [path!, i])));
  writeFileSync(join(root, 'data.csv'), `${['path,label,split,group', ...rows.map(csvRow)].join('\n')}\n`);
  return join(root, 'data.csv');
}

/** By content, as images inside a file have other names. */
function contentOf({ samples, classes }: Dataset): object[] {
  return samples
    .map(({ contentKey, split, label, group }) => ({
      contentKey,
      split,
      label: label === undefined ? '-' : classes[label],
      group,
    }))
    .toSorted((a, b) => (a.contentKey < b.contentKey ? -1 : 1));
}

function ownCache(): void {
  vi.stubEnv('GLEANER_CACHE', temporaryFolder());
  onTestFinished(() => void vi.unstubAllEnvs());
}

/** A folder as a run leaves it, as far as it is read. */
function runOn(data: string, options: object, rounds: Readonly<Record<string, string>>): string {
  const run = join(temporaryFolder(), 'first-run');
  mkdirSync(join(run, 'pseudo-labels'), { recursive: true });
  writeFileSync(join(run, 'config.json'), JSON.stringify({ dataFingerprint: 'x', options: { data, ...options } }));
  writeFileSync(join(run, 'events.jsonl'), '');
  for (const [round, text] of Object.entries(rounds)) writeFileSync(join(run, 'pseudo-labels', `${round}.csv`), text);
  return run;
}

describe('exportData', () => {
  it.each(DATA_FORMATS)('writes what is read again as it was: %s', async (format) => {
    ownCache();
    const data = await photos();
    const before = await readDataset(data, { group: 'group' });
    const out = join(before.root, FILE[format]);
    const result = await exportData(data, { format, out, group: 'group' });
    expect(result).toMatchObject({ file: out, images: 20, labelled: 16, machineLabelled: 0, relativeTo: before.root });
    const after = await readDataset(out, { group: 'group' });
    expect(after.classes).toEqual(before.classes);
    expect(contentOf(after)).toEqual(contentOf(before));
    if (format !== 'parquet') expect(after.samples.map(({ id }) => id)).toEqual(before.samples.map(({ id }) => id));
  });

  it.each(DATA_FORMATS)('writes images that were inside Parquet: %s', async (format) => {
    ownCache();
    const before = await readDataset(await photos(), { group: 'group' });
    const parquet = join(before.root, 'a.parquet');
    await exportData(join(before.root, 'data.csv'), { format: 'parquet', out: parquet, group: 'group' });
    const out = join(temporaryFolder(), FILE[format]);
    const { imagesFolder } = await exportData(parquet, { format, out, group: 'group' });
    expect(imagesFolder === undefined ? [] : [existsSync(imagesFolder)]).toEqual(format === 'parquet' ? [] : [true]);
    expect(contentOf(await readDataset(out, { group: 'group' }))).toEqual(contentOf(before));
  });

  describe('of a run', () => {
    const folders = async (): Promise<string> => {
      const root = temporaryFolder();
      await writeImages(root, {
        'cat/1.png': 1,
        'cat/2.png': 2,
        'dog/3.png': 3,
        'dog/4.png': 4,
        'unlabeled/=5.png': 5,
        'unlabeled/6.png': 6,
      });
      return root;
    };
    const evidence = (...rows: string[]): string =>
      `${['file,label,probability,chance,used,weight,reason,neighbours', ...rows].join('\n')}\n`;
    const rounds = {
      'round-2': evidence(
        'unlabeled/=5.png,dog,0.5,,no,0,"below, the threshold",dog/3.png',
        'unlabeled/6.png,cat,0.75,0.9,yes,1,,',
      ),
      'round-10': evidence(
        'unlabeled/=5.png,cat,0.625,,yes,0.5,,cat/1.png cat/2.png',
        "unlabeled/6.png,'=bird,0.875,0.95,yes,1,,",
      ),
    };
    const machine = [
      { label: '=bird', probability: 0.875, chance: 0.95, used: 'yes', weight: 1, round: 'round-10' },
      {
        label: 'cat',
        probability: 0.625,
        used: 'yes',
        weight: 0.5,
        neighbours: 'cat/1.png cat/2.png',
        round: 'round-10',
      },
    ];

    it('has the labels of the last round and whatever evidence their file holds, and labels stay apart from them', async () => {
      ownCache();
      const data = await folders();
      const run = runOn(data, { dataLayout: 'auto', seed: 0, maxPixels: 100 }, rounds);
      const before = await readDataset(data);
      for (const format of DATA_FORMATS) {
        const out = join(data, FILE[format]);
        expect(await exportData(run, { format, out })).toMatchObject({
          labelled: 4,
          machineLabelled: 2,
          round: 'round-10',
        });
        if (format !== 'parquet') expect(contentOf(await readDataset(out)), format).toEqual(contentOf(before));
      }
      await exportData(run, { format: 'coco', out: join(data, 'coco.json') });
      const coco = JSON.parse(readFileSync(join(data, 'coco.json'), 'utf8')) as Record<
        string,
        Record<string, unknown>[]
      >;
      const nameOf = (id: unknown): unknown => coco['categories']!.find((category) => category['id'] === id)!['name'];
      expect(
        coco['predictions']!.map(({ image_id: _, category_id: id, score, ...rest }) => ({
          label: nameOf(id),
          probability: score,
          ...rest,
        })),
      ).toEqual(machine);
      expect(coco['annotations']!.map(({ category_id: id }) => nameOf(id))).toEqual(['cat', 'cat', 'dog', 'dog']);
      const studio = JSON.parse(readFileSync(join(data, 'out.json'), 'utf8')) as {
        annotations: object[];
        predictions: object[];
        meta?: { machine: object };
      }[];
      expect(studio.flatMap(({ meta }) => meta?.machine ?? [])).toEqual(machine);
      expect(studio[5]).toMatchObject({
        data: { image: '/data/local-files/?d=unlabeled%2F%3D5.png', split: 'unlabeled' },
        annotations: [],
        predictions: [
          {
            model_version: 'first-run round-10',
            score: 0.625,
            result: [{ from_name: 'label', to_name: 'image', type: 'choices', value: { choices: ['cat'] } }],
          },
        ],
      });
      const lines = readFileSync(join(data, 'out.jsonl'), 'utf8').trim().split('\n');
      expect(lines.flatMap((line) => (JSON.parse(line) as { machine?: object }).machine ?? [])).toEqual(machine);
      // A spreadsheet would run what begins with an equals sign.
      expect(readFileSync(join(data, 'out.csv'), 'utf8').split('\n').slice(0, 7)).toEqual([
        'path,label,split,machine_label,machine_probability,machine_chance,machine_used,machine_weight,machine_reason,machine_neighbours,machine_round',
        'cat/1.png,cat,train,,,,,,,,',
        'cat/2.png,cat,train,,,,,,,,',
        'dog/3.png,dog,train,,,,,,,,',
        'dog/4.png,dog,train,,,,,,,,',
        "unlabeled/6.png,,unlabeled,'=bird,0.875,0.95,yes,1,,,round-10",
        'unlabeled/=5.png,,unlabeled,cat,0.625,,yes,0.5,,cat/1.png cat/2.png,round-10',
      ]);
    });

    it('are those of the last network that labelled, whatever else is known of them', async () => {
      const data = await folders();
      const final = 'file,label,probability,outlier score,model,round\nunlabeled/6.png,dog,1,0.5,a.onnx,final\n';
      const run = runOn(data, {}, { ...rounds, final });
      expect(await exportData(run, { format: 'jsonl', out: join(data, 'a.jsonl') })).toMatchObject({
        machineLabelled: 1,
        round: 'final',
      });
      const lines = readFileSync(join(data, 'a.jsonl'), 'utf8').trim().split('\n');
      expect(lines.flatMap((line) => (JSON.parse(line) as { machine?: object }).machine ?? [])).toEqual([
        { label: 'dog', probability: 1, outlier_score: 0.5, model: 'a.onnx', round: 'final' },
      ]);
    });

    it('shows the labels that the run could use', async () => {
      const data = await folders();
      const run = runOn(data, { labelsPerClass: 1, seed: 3 }, {});
      expect(await exportData(run, { format: 'csv', out: join(data, 'a.csv') })).toMatchObject({
        labelled: 2,
        machineLabelled: 0,
      });
      await expect(exportData(run, { format: 'csv', out: join(data, 'a.csv'), labelsPerClass: 2 })).rejects.toThrow(
        /is a run: how its data is read comes from its config\.json/,
      );
    });

    it('is refused where the labels are not what is expected', async () => {
      const data = await folders();
      const run = runOn(data, {}, { 'round-1': 'image,class\n' });
      await expect(exportData(run, { format: 'csv', out: join(data, 'a.csv') })).rejects.toThrow(
        /round-1\.csv has no column "file"/,
      );
    });
  });

  it('never takes the place of the data, nor becomes a part of it', async () => {
    ownCache();
    const data = await photos();
    await expect(exportData(data, { format: 'csv', out: data })).rejects.toThrow(/is the data itself/);
    const folder = temporaryFolder();
    await exportData(data, { format: 'parquet', out: join(folder, 'a.parquet') });
    await expect(exportData(folder, { format: 'parquet', out: join(folder, 'b.parquet') })).rejects.toThrow(
      /would become a part of the data/,
    );
  });

  const python = process.env['GLEANER_TEST_PYTHON'];
  const hasArrow = python !== undefined && spawnSync(python, ['-c', 'import pyarrow']).status === 0;
  it.skipIf(!hasArrow)('writes Parquet that Arrow reads (GLEANER_TEST_PYTHON with pyarrow)', async () => {
    const data = await photos();
    const out = join(temporaryFolder(), 'a.parquet');
    await exportData(data, { format: 'parquet', out });
    const script = `
import json, sys, pyarrow.parquet as pq
table = pq.read_table(sys.argv[1])
features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
names = features["label"]["names"]
print(json.dumps([[r["image"]["path"], len(r["image"]["bytes"]), None if r["label"] is None else names[r["label"]], r["split"]] for r in table.to_pylist()]))`;
    const { stdout, stderr } = spawnSync(python!, ['-c', script, out], { encoding: 'utf8' });
    const { samples, classes } = await readDataset(data);
    expect(JSON.parse(stdout), stderr).toEqual(
      samples.map(({ id, bytes, label, split }) => [id, bytes, label === undefined ? null : classes[label], split]),
    );
  });
});
