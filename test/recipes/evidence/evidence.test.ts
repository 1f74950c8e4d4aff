import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { randomStream } from '../../../src/core/random.ts';
import type { MachineLabel } from '../../../src/labelling/label-images.ts';
import { writeEvidence, type Evidence, type LabelledRound } from '../../../src/recipes/evidence/evidence.ts';
import { exampleLabels } from '../../../src/recipes/evidence/example-labels.ts';
import { nearestRows } from '../../../src/recipes/nearest-rows.ts';
import type { LabelledSample } from '../../../src/recipes/prepare-data.ts';
import { Engine } from '../../../src/runtime/engine.ts';
import { RunFolder } from '../../../src/train/run-folder.ts';

const classes = ['cat', '=emu'];
const sample = (id: string, label: number): LabelledSample =>
  ({ id, file: `/${id}`, contentKey: id, label, split: 'train' }) as unknown as LabelledSample;
const labelled = [sample('train/cat/1.jpg', 0), sample('train/emu/2.jpg', 1)];
const unlabelled = [sample('+a,"b".jpg', 0), sample('c.jpg', 0), sample('d.jpg', 0), sample('<img>.jpg', 0)];

function machine(label: number, used: boolean, more: Partial<MachineLabel> = {}): MachineLabel {
  const target = Float32Array.of(1 - label, label);
  const weight = used ? 1 : 0;
  return { label, probability: 0.91239, chance: 0.8, used, weight, target, reason: 'sure', ...more };
}

function round(name: string, labels: readonly MachineLabel[]): LabelledRound {
  return { name, model: 'net', labels, agreement: Float32Array.of(1, 0.5, 1, 1) };
}

const rounds = [
  round('round-1', [machine(0, true), machine(0, true), machine(1, false), machine(1, true)]),
  round('round-2', [
    machine(0, true),
    machine(0, false, { reason: 'looks like none of the classes: so', outlierScore: 2.5 }),
    machine(1, true, { chance: undefined }),
    machine(0, true),
  ]),
];
const neighbours = {
  labelled: unlabelled.map(() => [{ row: 1, similarity: 0.98765 }]),
  machine: unlabelled.map((_, i) => [{ row: (i + 1) % 4, similarity: 0.5 }]),
};

describe('writeEvidence', () => {
  let folder: string;
  let run: RunFolder;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gleaner-evidence-'));
    run = await RunFolder.create(join(folder, 'run'), { dataFingerprint: 'x', gleaner: '1' });
    await writeEvidence(run, { classes, labelled, unlabelled, neighbours }, rounds);
  });
  afterAll(async () => {
    await run.close();
    await rm(folder, { recursive: true, force: true });
  });
  const text = (name: string): Promise<string> => readFile(run.file('pseudo-labels', name), 'utf8');
  const rows = async (name: string): Promise<Evidence[]> =>
    (await text(name)).trimEnd().split('\n').map((line) => JSON.parse(line) as Evidence); // prettier-ignore

  it('says of every label who gave it, what is like it, and what became of it', async () => {
    const first = await rows('round-1.jsonl');
    expect(first[0]).toEqual({
      file: '+a,"b".jpg',
      label: 'cat',
      probability: 0.9124,
      chance: 0.8,
      agreement: 1,
      outlierScore: null,
      used: true,
      weight: 1,
      reason: 'sure',
      model: 'net',
      round: 'round-1',
      neighbours: {
        labelled: [{ file: 'train/emu/2.jpg', label: '=emu', similarity: 0.9877 }],
        machine: [{ file: 'c.jpg', label: 'cat', similarity: 0.5 }],
      },
      later: [{ round: 'round-2', label: 'cat', used: true, what: 'same' }],
    });
    expect(first.map(({ later }) => later[0]!.what)).toEqual(['same', 'dropped', 'taken up', 'label changed']);
    const second = await rows('round-2.jsonl');
    expect(second.map(({ later }) => later)).toEqual([[], [], [], []]);
    expect(second[1]).toMatchObject({ agreement: 0.5, outlierScore: 2.5, used: false });
    expect(second[2]!.chance).toBeNull();
    // The neighbour's label is that of the same round.
    expect(second[2]!.neighbours.machine[0]).toMatchObject({ file: '<img>.jpg', label: 'cat' });
    expect(first[2]!.neighbours.machine[0]).toMatchObject({ file: '<img>.jpg', label: '=emu' });
  });

  it('writes a line an image that no spreadsheet runs', async () => {
    const lines = (await text('round-1.csv')).trimEnd().split('\n');
    expect(lines).toHaveLength(5);
    expect(lines[0]).toMatch(/^file,label,probability,chance,used,weight,reason,agreement,outlier score,model,round,/);
    expect(lines[1]).toBe(
      `"'+a,""b"".jpg",cat,0.9124,0.8,yes,1,sure,1,,net,round-1,"train/emu/2.jpg (=emu, 0.9877)","c.jpg (cat, 0.5)","round-2: same, cat, used"`,
    );
    expect(lines[3]).toContain("'=emu,0.9124");
  });

  it('is summed up for the report by labels that are worth a look', async () => {
    const summary = (await exampleLabels(run.path, unlabelled))!;
    expect(summary).toMatchObject({
      round: 'round-2',
      images: 4,
      used: 3,
      setAside: 1,
      file: 'pseudo-labels/round-2.csv',
    });
    const files = summary.examples.map(({ labels }) => labels.map(({ file }) => file));
    // Without a chance, the probability counts.
    expect(files).toEqual([['+a,"b".jpg', '<img>.jpg', 'd.jpg'], [], ['c.jpg'], ['<img>.jpg']]);
    expect(summary.examples[3]!.labels[0]).toMatchObject({ label: 'cat', before: '=emu', picture: undefined });
  });
});

describe('nearestRows', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await Engine.start({ device: 'cpu', threads: 1 });
  });
  afterAll(() => engine.dispose());

  it('finds what comparing all pairs finds', async () => {
    const stream = randomStream('nearest rows');
    const width = 5;
    const matrix = (rows: number) => ({
      data: Float32Array.from({ length: rows * width }, () => stream.normal()),
      width,
    });
    const [asked, others] = [matrix(300), matrix(40)];
    const cosine = (a: Float32Array, b: Float32Array): number => {
      const dot = (x: Float32Array, y: Float32Array): number => x.reduce((sum, v, i) => sum + v * y[i]!, 0);
      return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
    };
    const row = ({ data }: typeof asked, i: number) => data.subarray(i * width, (i + 1) * width);
    const found = await nearestRows(engine, asked, others, 3, false);
    const own = await nearestRows(engine, others, others, 3, true);
    const byHand = (of: typeof asked, i: number, skip?: number) =>
      Array.from({ length: 40 }, (_, j) => ({ row: j, similarity: cosine(row(of, i), row(others, j)) }))
        .filter((one) => one.row !== skip)
        .toSorted((a, b) => b.similarity - a.similarity)
        .slice(0, 3);
    expect(found).toHaveLength(300);
    for (const i of [0, 7, 255, 256, 299]) {
      expect(found[i]!.map((one) => one.row)).toEqual(byHand(asked, i).map((one) => one.row));
      expect(found[i]![0]!.similarity).toBeCloseTo(byHand(asked, i)[0]!.similarity, 5);
    }
    for (const i of [0, 39]) expect(own[i]!.map((one) => one.row)).toEqual(byHand(others, i, i).map((one) => one.row));
    const few = { data: others.data.subarray(0, width), width };
    expect(await nearestRows(engine, few, few, 3, true)).toEqual([[]]);
    const none = { data: new Float32Array(0), width };
    expect(await nearestRows(engine, few, none, 3, false)).toEqual([[]]);
  });
});
