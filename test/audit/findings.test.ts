import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { blankFindings, duplicateFindings, smallFindings } from '../../src/audit/faulty-images.ts';
import { orderFindings } from '../../src/audit/file-order.ts';
import type { Finding } from '../../src/audit/finding.ts';
import { findShortcuts } from '../../src/audit/shortcuts.ts';
import { subgroupFindings } from '../../src/audit/subgroups.ts';
import { prepareDataset } from '../../src/datasets/prepare.ts';
import { randomStream, shuffled } from '../../src/core/random.ts';
import { toyData, toyWorld, usual, type Draw, type ToyData } from './toy.ts';
import { png, temporaryFolder, writeImages } from '../datasets/image-folder.ts';
import { measureImages } from '../../src/audit/measure-images.ts';

const two = (a: Draw, b: Draw, count = 40) => [
  { path: 'a', draw: a, count },
  { path: 'b', draw: b, count },
];
const bySize: readonly [Draw, Draw] = [
  (s, i) => ({ ...usual(s, i), size: 0.3 }),
  (s, i) => ({ ...usual(s, i), size: 0.6 }),
];
const kinds = (findings: readonly Finding[]): string[] => findings.map(({ kind }) => kind);

describe('classes told apart by what should not tell them', () => {
  const shortcuts = ({ images, classes }: ToyData) => findShortcuts(images, classes, [], 0);

  it('by file properties: one class has its own JPEG quality', async () => {
    const [a, b] = two(usual, usual);
    const faulty = await toyData([
      { ...a!, quality: (stream) => 85 + stream.integer(10) },
      { ...b!, quality: (stream) => 60 + stream.integer(10) },
    ]);
    const { findings } = shortcuts(faulty);
    expect(kinds(findings)).toContain('classes-by-file-properties');
    const { evidence } = findings.find(({ kind }) => kind === 'classes-by-file-properties')!;
    expect(evidence['accuracy']!.interval![0]).toBeGreaterThan(evidence['chance']!.value);
    const sound = await toyData([
      { ...a!, quality: (stream) => 60 + stream.integer(35) },
      { ...b!, quality: (stream) => 60 + stream.integer(35) },
    ]);
    expect(kinds(shortcuts(sound).findings)).toEqual([]);
  });

  it('by the background: one class stands on another ground', async () => {
    const faulty = await toyData(
      two(
        (s, i) => ({ ...usual(s, i), ground: [150 + 20 * s.uniform(), 150, 140] }),
        (s, i) => ({ ...usual(s, i), ground: [110 + 20 * s.uniform(), 150, 150] }),
      ),
    );
    expect(kinds(shortcuts(faulty).findings)).toEqual(['classes-by-background']);
    // Told apart by the subject: the size of what is in the middle.
    const sound = shortcuts(await toyData(two(...bySize)));
    expect(sound.findings).toEqual([]);
    expect(sound.shortcuts!.whole.value).toBeGreaterThan(0.8);
    expect(sound.shortcuts!.border.value).toBeLessThan(sound.shortcuts!.whole.value - 0.1);
  });

  it('rarely where there is nothing: random labels, 20 times', async () => {
    const data = await toyData(two(usual, usual, 60));
    const alarms = Array.from({ length: 20 }, (_, seed) => {
      const labels = shuffled(
        data.images.map(({ sample }) => sample.label!),
        randomStream('labels', seed),
      );
      const images = data.images.map((image, i) => ({ ...image, sample: { ...image.sample, label: labels[i]! } }));
      return findShortcuts(images, data.classes, [], seed).findings;
    });
    expect(alarms.filter((findings) => findings.length > 0).length).toBeLessThanOrEqual(1);
  });
});

describe('the order of files', () => {
  it('finds images that grow darker along it', async () => {
    const darker: Draw = (s, i) => ({ ...usual(s, i), light: 1.2 - 0.012 * i });
    const faulty = await toyData(two(darker, darker), true);
    const findings = orderFindings(faulty.images, faulty.classes, 0);
    expect(findings.map(({ property }) => property)).toContain('brightness');
  });

  it('finds neighbours that look alike', async () => {
    const shots: Draw = (_, i) => {
      const shot = randomStream('shot', Math.floor(i / 5));
      return { ...usual(shot, 0), x: 0.4 * shot.uniform() - 0.2, y: 0.4 * shot.uniform() - 0.2 };
    };
    const faulty = await toyData(two(shots, shots), true);
    expect(orderFindings(faulty.images, faulty.classes, 0).some(({ what }) => what.includes('look alike'))).toBe(true);
  });

  it('finds classes in blocks of names', async () => {
    const root = await toyData([
      { path: 'a', draw: usual, count: 20 },
      { path: 'b', draw: usual, count: 20 },
    ]);
    const named = root.images.map((image, i) => ({
      ...image,
      sample: { ...image.sample, id: `${image.sample.label === 0 ? 'a' : 'b'}/${String(i).padStart(4, '0')}.png` },
    }));
    expect(orderFindings(named, root.classes, 0).some(({ what }) => what.includes('blocks'))).toBe(true);
    expect(orderFindings(root.images, root.classes, 0)).toEqual([]);
  });

  it('rarely where there is none: 20 random orders', async () => {
    const data = await toyData(two(usual, usual));
    const alarms = Array.from({ length: 20 }, (_, seed) => {
      const places = shuffled([...data.images.keys()], randomStream('order', seed));
      const images = data.images.map((image, i) => ({
        ...image,
        sample: { ...image.sample, id: `x/${places[i]}.png` },
      }));
      return orderFindings(images, data.classes, seed);
    });
    expect(alarms.filter((findings) => findings.length > 0).length).toBeLessThanOrEqual(1);
  });
});

describe('images with a fault', () => {
  const blank: Draw = () => ({ grain: 0, size: 0 });
  const tiny: Draw = (s, i) => ({ ...usual(s, i), side: 16 });

  it('blank, small', async () => {
    const sound = await toyData([{ path: 'a', draw: (s, i) => ({ ...usual(s, i), side: 80 }), count: 20 }]);
    expect([...blankFindings(sound.images, sound.classes), ...smallFindings(sound.images, sound.classes)]).toEqual([]);
    const faulty = await toyData([
      { path: 'a', draw: (s, i) => ({ ...usual(s, i), side: 80 }), count: 20 },
      { path: 'b', draw: blank, count: 2 },
      { path: 'c', draw: tiny, count: 3 },
    ]);
    expect(blankFindings(faulty.images, faulty.classes)[0]).toMatchObject({
      kind: 'blank-images',
      classes: ['b'],
      evidence: { images: { value: 2 } },
    });
    expect(smallFindings(faulty.images, faulty.classes)[0]).toMatchObject({
      kind: 'small-images',
      classes: ['c'],
      evidence: { images: { value: 3 } },
    });
    // All small: that is what the data is.
    const digits = await toyData([{ path: 'a', draw: tiny, count: 20 }]);
    expect(smallFindings(digits.images, digits.classes)).toEqual([]);
  });

  it('near-duplicates, and worse, under two classes', async () => {
    const root = temporaryFolder();
    for (let i = 0; i < 12; i++) await writeImages(root, { [`a/${i}.png`]: await png(i, 64) });
    const found = async () => {
      const { dataset, duplicates } = await prepareDataset(root);
      const images = await measureImages(dataset.samples, 'toy');
      return duplicateFindings(images, duplicates, dataset.conflicts, dataset.classes);
    };
    expect(await found()).toEqual([]);
    // Under the same class.
    await writeImages(root, {
      'a/again.jpg': await sharp(await png(5, 64))
        .jpeg({ quality: 90 })
        .toBuffer(),
    });
    expect((await found())[0]).toMatchObject({
      severity: 'medium',
      evidence: { images: { value: 1 }, 'groups under several classes': { value: 0 } },
    });
    // Another one smaller, under another class.
    await writeImages(root, {
      'b/again.png': await sharp(await png(3, 64))
        .resize(40)
        .png()
        .toBuffer(),
    });
    expect((await found())[0]).toMatchObject({
      kind: 'near-duplicates',
      severity: 'high',
      evidence: { images: { value: 2 }, 'groups under several classes': { value: 1 } },
    });
  });
});

describe('rare kinds within a class', () => {
  const withDark: Draw = (s, i) => ({ ...usual(s, i), ...(i < 5 && { light: 0.2 }) });

  it('finds a few dark images in one class and no group where there is none', async () => {
    const faulty = await toyData(two(withDark, usual, 60));
    const findings = subgroupFindings(faulty.images, faulty.classes, []);
    const dark = findings.filter(({ classes }) => classes[0] === 'a');
    expect(dark.length).toBeGreaterThan(0);
    expect(dark[0]!.examples.length).toBe(5);
    expect(dark[0]!.evidence['share of the class']!.value).toBeCloseTo(5 / 60, 10);
    expect(findings.filter(({ classes }) => classes[0] === 'b')).toEqual([]);
  });

  it('weighs them by the world and by predictions', async () => {
    const faulty = await toyData(two(withDark, usual, 60));
    const world = await toyWorld((s, i) => ({ ...usual(s, i), light: s.uniform() < 0.5 ? 0.2 : 1 }), 30);
    const dark = (findings: readonly Finding[]) => findings.find(({ classes }) => classes[0] === 'a')!;
    expect(dark(subgroupFindings(faulty.images, faulty.classes, world.images)).severity).toBe('medium');
    const members = new Set(dark(subgroupFindings(faulty.images, faulty.classes, [])).examples);
    const predicted = new Map(
      faulty.images.map(({ sample }) => [sample.id, members.has(sample.id) ? 'b' : faulty.classes[sample.label!]!]),
    );
    const known = dark(subgroupFindings(faulty.images, faulty.classes, [], predicted));
    expect(known.severity).toBe('high');
    expect(known.evidence['accuracy on them']!.value).toBe(0);
    expect(known.evidence['accuracy on the others of the class']!.value).toBe(1);
  });

  it('finds the fifth on which predictions fail, and none where errors are anywhere', async () => {
    const data = await toyData(two(usual, usual, 60));
    const sorted = data.images.toSorted((a, b) => a.measures.brightness - b.measures.brightness);
    const darkest = new Set(sorted.slice(0, 20).map(({ sample }) => sample.id));
    const says = (isWrong: (id: string) => boolean) =>
      new Map(
        data.images.map(({ sample: { id, label } }) => [id, data.classes[isWrong(id) ? 1 - label! : label!]!] as const),
      );
    const tails = (predicted: ReadonlyMap<string, string>) =>
      subgroupFindings(data.images, data.classes, [], predicted).filter(({ classes }) => classes.length === 0);
    expect(tails(says((id) => darkest.has(id))).map(({ property }) => property)).toContain('brightness');
    const anywhere = new Set(
      shuffled([...darkest, ...sorted.slice(20).map(({ sample }) => sample.id)], randomStream(5)).slice(0, 20),
    );
    expect(tails(says((id) => anywhere.has(id)))).toEqual([]);
  });
});
