import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { randomStream } from '../../src/core/random.ts';
import { softLabel } from '../../src/datasets/dataset.ts';
import { joinVotes, type Vote } from '../../src/datasets/dawid-skene.ts';
import { describeDataset } from '../../src/datasets/describe.ts';
import { readDataset } from '../../src/datasets/read.ts';
import { temporaryFolder, writeImages } from './image-folder.ts';

/** Five annotators of known confusion about 300 items of three classes, two or three answers each. */
function simulated(seed: number) {
  const stream = randomStream(seed, 'annotators');
  const right = [0.95, 0.9, 0.6, 0.55, 0.4];
  const truth = Array.from({ length: 300 }, () => stream.integer(3));
  const votes: Vote[] = truth.flatMap((k, item) =>
    right.flatMap((p, annotator): Vote[] => {
      if (stream.uniform() < 0.5 && annotator !== item % 5) return [];
      return [{ item, annotator, label: stream.uniform() < p ? k : (k + 1 + stream.integer(2)) % 3 }];
    }),
  );
  return { truth, votes, right };
}

describe('joinVotes', () => {
  it('ends at a fixed point of the equations of Dawid and Skene', () => {
    const { votes } = simulated(1);
    const { posterior, confusion, prior } = joinVotes(votes, 300, 5, 3);
    // Eq. 2.4 with one answer of each class before, eq. 2.3 with two, 3/4 of them right.
    const counts = [0, 1, 2].map((k) => 1 + posterior.reduce((sum, row) => sum + row[k]!, 0));
    for (const k of [0, 1, 2]) expect(prior[k]).toBeCloseTo(counts[k]! / 303, 5);
    for (const a of [0, 1, 2, 3, 4])
      for (const k of [0, 1, 2]) {
        const own = [0, 1, 2].map((l) =>
          votes
            .filter((vote) => vote.annotator === a && vote.label === l)
            .reduce((sum, { item }) => sum + posterior[item]![k]!, k === l ? 1.5 : 0.25),
        );
        const total = own.reduce((x, y) => x + y);
        for (const l of [0, 1, 2]) expect(confusion[a]![k]![l]).toBeCloseTo(own[l]! / total, 5);
      }
    // Eq. 2.5.
    for (const item of [0, 17, 299]) {
      const own = votes.filter((vote) => vote.item === item);
      const joint = [0, 1, 2].map((k) => own.reduce((p, v) => p * confusion[v.annotator]![k]![v.label]!, prior[k]!));
      const total = joint.reduce((x, y) => x + y);
      for (const k of [0, 1, 2]) expect(posterior[item]![k]).toBeCloseTo(joint[k]! / total, 5);
    }
  });

  it('is right more often than the majority, and knows who is', () => {
    let [joined, majority] = [0, 0];
    const found = [0, 0, 0, 0, 0];
    for (const seed of [1, 2, 3, 4]) {
      const { truth, votes } = simulated(seed);
      const { posterior, confusion } = joinVotes(votes, 300, 5, 3);
      for (const [item, k] of truth.entries()) {
        const counts = [0, 0, 0];
        for (const vote of votes) if (vote.item === item) counts[vote.label]!++;
        if (posterior[item]!.indexOf(Math.max(...posterior[item]!)) === k) joined++;
        if (counts.indexOf(Math.max(...counts)) === k) majority++;
      }
      for (const [a, rows] of confusion.entries()) found[a]! += (rows[0]![0]! + rows[1]![1]! + rows[2]![2]!) / 12;
    }
    expect(joined).toBeGreaterThan(majority + 60);
    for (const [a, p] of simulated(1).right.entries()) expect(Math.abs(found[a]! - p)).toBeLessThan(0.1);
  });

  it('is no surer than it can be of one answer', () => {
    const { posterior } = joinVotes([{ item: 0, annotator: 0, label: 1 }], 1, 1, 2);
    expect(posterior[0]![1]).toBeGreaterThan(0.6);
    expect(posterior[0]![1]).toBeLessThan(0.99);
    expect(() => joinVotes([], 1, 1, 2)).toThrow('Item 0 has no answer.');
    expect(() => joinVotes([{ item: 0, annotator: 1, label: 0 }], 1, 1, 2)).toThrow(RangeError);
  });
});

describe('a manifest of several annotators', () => {
  async function manifest(text: string, name = 'data.csv'): Promise<string> {
    const root = temporaryFolder();
    await writeImages(root, Object.fromEntries(Array.from({ length: 6 }, (_, i) => [`${i}.png`, i])));
    writeFileSync(join(root, name), text);
    return join(root, name);
  }
  const rows = [0, 1, 2, 3, 4].flatMap((i) => ['anna', 'ben'].map((who) => `${i}.png,${i < 2 ? 'cat' : 'dog'},${who}`));
  const text = ['path,label,annotator', ...rows, '5.png,cat,anna', '5.png,dog,ben', '5.png,cat,cleo', ''].join('\n');

  it('is one image each, with the joined label and the chances of all', async () => {
    const dataset = await readDataset(await manifest(text));
    expect(dataset.samples.map(({ id, label }) => [id, dataset.classes[label!]])).toEqual(
      [0, 1, 2, 3, 4, 5].map((i) => [`${i}.png`, i < 2 || i === 5 ? 'cat' : 'dog']),
    );
    const last = dataset.samples[5]!;
    const soft = softLabel(last, dataset.classes)!;
    expect(soft[0]).toBeCloseTo(last.chances!['cat']!, 6);
    expect(soft[0]! + soft[1]!).toBeCloseTo(1, 6);
    expect(soft[1]).toBeGreaterThan(0.02);
    expect(dataset.annotation).toMatchObject({ shared: 6, disagreements: [{ file: '5.png', joined: 'cat' }] });
    expect(dataset.annotation!.disagreements[0]!.labels).toEqual({ anna: 'cat', ben: 'dog', cleo: 'cat' });
    expect(dataset.annotation!.annotators.map(({ name, labels }) => [name, labels])).toEqual([['anna', 6], ['ben', 6], ['cleo', 1]]); // prettier-ignore
    expect(describeDataset(dataset)).toContain('5.png: anna cat, ben dog, cleo cat: cat');
  });

  it('is read from JSON lines, and an annotator may leave an image out', async () => {
    const lines = text.trim().split('\n').slice(1).map((row) => row.split(',')); // prettier-ignore
    const json = [...lines, ['5.png', '', 'dora']].map(([path, label, annotator]) => JSON.stringify({ path, label, annotator })); // prettier-ignore
    const dataset = await readDataset(await manifest(json.join('\n'), 'data.jsonl'));
    expect(dataset.samples).toHaveLength(6);
    expect(dataset.annotation!.annotators.map(({ name }) => name)).toEqual(['anna', 'ben', 'cleo']);
  });

  it('differs by its fingerprint where only an annotator changed', async () => {
    const [one, other] = [await readDataset(await manifest(text)), await readDataset(await manifest(text.replace('5.png,cat,cleo', '0.png,cat,cleo')))]; // prettier-ignore
    expect(one.fingerprint).not.toBe(other.fingerprint);
  });

  it('refuses two answers of one annotator, two rows without one, and an image in two parts', async () => {
    await expect(readDataset(await manifest(`${text}5.png,dog,anna\n`))).rejects.toThrow(
      /line 15: "5.png" is there already/,
    );
    await expect(readDataset(await manifest('path,label\n0.png,cat\n0.png,dog\n1.png,dog\n'))).rejects.toThrow(
      /line 3: "0.png" is there already/,
    );
    const parts = 'path,label,annotator,split\n0.png,cat,anna,train\n0.png,cat,ben,test\n1.png,dog,anna,train\n';
    await expect(readDataset(await manifest(parts))).rejects.toThrow('"0.png" is in test here, and in train on line 2');
  });
});
