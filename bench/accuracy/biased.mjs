// A biased training half: bright, upright, centred photos; the world's are darker, turned, off the centre and noisy. What
// of the loss comes back by the policy that the audit proposes, which sees 100 unlabelled photos of the world?
import { mkdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { randomStream, shuffled } from '../../dist/core/random.js';
import { auditData, evaluate } from '../../dist/index.js';
import { readDataset } from '../../dist/datasets/read.js';
import { differences } from '../support/arm-table.mjs';
import { pairedInterval } from '../support/statistics.mjs';
import { retake } from '../support/retake.mjs';
import { trainCell } from '../support/train-cell.mjs';
import { FINETUNE_POLICY } from './clothing.mjs';

/** How each half's photos are taken; the audit is not told. Both go through the same steps and the same JPEG. */
const CAMERAS = {
  biased: { brightness: [1, 1.15], angle: [0, 0], shift: [0, 0], noise: [0, 0] },
  world: { brightness: [0.3, 0.8], angle: [-40, 40], shift: [-0.2, 0.2], noise: [4, 18] },
};
const WORLD_PHOTOS = 100;
const OTHER = { biased: 'world', world: 'biased' };

export const biased = {
  name: 'biased',
  about: 'trained on a biased half, scored on the world and on the unshifted half',
  flags: { backbone: { type: 'string' }, 'per-class': { type: 'string', default: '30' } },
  needs: ['data', 'backbone'],
  base: 'default',
  metrics: ['world', 'unshifted'],
  arms(values) {
    const shared = {
      backbone: basename(values.backbone),
      perClass: Number(values['per-class']),
      augment: FINETUNE_POLICY,
      // Other cameras make other cells.
      cameras: CAMERAS,
    };
    return [
      { name: 'default', options: { ...shared, half: 'biased' } },
      { name: 'audit', options: { ...shared, half: 'biased', audited: true } },
      { name: 'world', options: { ...shared, half: 'world' } },
    ];
  },
  async open({ data, backbone }, folder) {
    const made = new Map();
    const halvesOf = async (seed, perClass) => {
      if (!made.has(seed)) {
        for (const old of made.keys()) await rm(join(folder, `halves-${old}`), { recursive: true, force: true });
        made.clear();
        made.set(seed, await writeHalves(data, join(folder, `halves-${seed}`), seed, perClass));
      }
      return made.get(seed);
    };
    return {
      async run({ options: { half, audited, perClass, cameras: _cameras, ...options }, seed }, place) {
        const halves = await halvesOf(seed, perClass);
        const found = audited
          ? await auditData(halves.biased, { world: halves.photos, seed, signal: place.signal })
          : undefined;
        // The proposal is fitted on whole photos, so it comes before the crop.
        const augment = [found?.proposal.policy, options.augment].filter(Boolean).join('|');
        const cell = { ...options, augment, backbone, data: halves[half], seed };
        const scores = await trainCell(cell, place, async ({ model }) => ({
          other: (await evaluate(model, halves[OTHER[half]], { signal: place.signal })).accuracy,
        }));
        const { accuracy, other, ...rest } = scores;
        const [world, unshifted] = half === 'world' ? [accuracy, other] : [other, accuracy];
        return {
          ...rest,
          world,
          unshifted,
          ...(found && { policy: found.proposal.policy, findings: found.findings.map(({ what }) => what) }),
        };
      },
    };
  },
  summary(cells) {
    // Seeds that all three have.
    const byArm = (seed, arm) => cells.find((cell) => cell.seed === seed && cell.arm === arm);
    const seeds = [...new Set(cells.map(({ seed }) => seed))].filter((seed) =>
      ['default', 'audit', 'world'].every((arm) => byArm(seed, arm) !== undefined),
    );
    if (seeds.length === 0) return [];
    const [usual, audited, world] = ['default', 'audit', 'world'].map((arm) => seeds.map((seed) => byArm(seed, arm)));
    const lost = pairedInterval(differences(world, usual, 'world'));
    const regained = pairedInterval(differences(audited, usual, 'world'));
    // Half of what was lost lies midway between the two trainings.
    const midway = seeds.map((seed, i) => ({ seed, world: (usual[i].world + world[i].world) / 2 }));
    return [
      { what: 'lost by the bias', ...lost },
      { what: 'regained by the audit', ...regained },
      { what: 'regained, share of lost', share: regained.mean / lost.mean, n: regained.n },
      { what: 'regained less half of lost', ...pairedInterval(differences(audited, midway, 'world')) },
      { what: 'cost on the unshifted half', ...pairedInterval(differences(usual, audited, 'unshifted')) },
    ];
  },
};

/**
 * Writes FOLDER/{biased,world}/{train,test}/CLASS and FOLDER/photos: the same `perClass` labelled training photos and the
 * same test photos, taken by both cameras, and other training photos, taken by the world's.
 */
async function writeHalves(data, folder, seed, perClass) {
  const { samples, classes } = await readDataset(data);
  const train = shuffled(
    samples.filter(({ split }) => split === 'train'),
    randomStream(seed, 'biased study', 'photos'),
  );
  const counts = classes.map(() => 0);
  const labelled = train.filter(({ label }) => counts[label]++ < perClass);
  const rest = train.filter((sample) => !labelled.includes(sample)).slice(0, WORLD_PHOTOS);
  const named = (part) => (sample, i) => ({ sample, path: join(part, classes[sample.label], `${i}.jpg`) });
  const scored = samples.filter(({ split }) => split === 'test');
  const files = [...labelled.map(named('train')), ...scored.map(named('test'))];
  for (const [half, camera] of Object.entries(CAMERAS)) {
    for (const part of ['train', 'test'])
      for (const name of classes) await mkdir(join(folder, half, part, name), { recursive: true });
    for (const { sample, path } of files)
      await retake(sample.file, join(folder, half, path), camera, randomStream(seed, half, sample.id));
  }
  const photos = join(folder, 'photos');
  await mkdir(photos, { recursive: true });
  for (const [i, { file, id }] of rest.entries())
    await retake(file, join(photos, `${i}.jpg`), CAMERAS.world, randomStream(seed, 'photos', id));
  return { biased: join(folder, 'biased'), world: join(folder, 'world'), photos };
}
