// Throughput of the loader: crops as evaluation sees them, and random crops for training, beside Pillow and torchvision.
// node bench/loader.mjs [FOLDER_OF_IMAGES] [--side 224] [--threads N] [--images 2000] [--batch 32] [--json]
// Without a folder: 1,000 digits of 28x28. Counted are images a second, and images a second of processor time: what one
// core would do. The first epoch decodes; later ones find decoded images in memory, as far as they fit. The peer is one
// process with one thread that decodes in every epoch, as PyTorch's loaders do: by Pillow, with torchvision's
// RandomResizedCrop and flip for training, and resize and centre crop for evaluation.
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parsePolicy } from '../dist/augment/policy.js';
import { CropCache } from '../dist/batches/crop-cache.js';
import { EvaluationCrops } from '../dist/batches/evaluation-crops.js';
import { ImagePool } from '../dist/batches/image-pool.js';
import { TrainingBatches } from '../dist/batches/training-batches.js';
import { digitsFolder } from './support/digits-folder.mjs';
import { preprocessingOf } from './support/networks.mjs';
import { NO_PEER, startPeer } from './support/peer.mjs';
import { figure, ratio, Report, round } from './support/report.mjs';

const CROP = { scale: [0.35, 1], ratio: [3 / 4, 4 / 3] };
const DIGITS_PER_CLASS = 100;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    side: { type: 'string', default: '224' },
    threads: { type: 'string' },
    images: { type: 'string', default: '2000' },
    batch: { type: 'string', default: '32' },
    json: { type: 'boolean', default: false },
  },
});
const [side, most, batchSize] = [values.side, values.images, values.batch].map(Number);
const report = new Report('loader', {
  json: values.json,
  columns: [
    { title: 'crops', width: 28, left: true, text: (row) => row.crops },
    { title: 'epoch', width: 5, text: (row) => row.epoch },
    { title: 'images/s', width: 8, text: (row) => figure(row.ours, 0) },
    { title: 'a core', width: 8, text: (row) => figure(row.perCore, 0) },
    { title: 'MiB', width: 6, text: (row) => figure(row.mib, 0) },
    { title: 'PyTorch a core', width: 14, text: (row) => figure(row.peerPerCore, 0) },
    { title: 'ratio a core', width: 12, text: (row) => figure(row.ratio, 2) },
  ],
});
const folder = positionals[0] ?? (await digitsFolder({ images: DIGITS_PER_CLASS }));
const files = readdirSync(folder, { recursive: true })
  .map((name) => join(folder, name))
  .filter((file) => /\.(jpe?g|png|webp)$/i.test(file) && statSync(file).isFile())
  .toSorted()
  .slice(0, most);
if (files.length === 0) {
  console.error(`There is no image in ${folder}.`);
  process.exit(2);
}
const items = files.map((file) => ({ id: file, file, contentKey: file, width: 0, height: 0, target: 0 }));

const preprocessing = preprocessingOf(side);
const peer = startPeer('loader', { threads: 1 });
if (!peer) report.say(NO_PEER);
const pool = await ImagePool.start(preprocessing, values.threads ? { threads: Number(values.threads) } : {});
const crops = new EvaluationCrops(pool, new CropCache(preprocessing, { diskBytes: 0 }));
const training = new TrainingBatches(pool, crops, {
  items,
  batchSize,
  policy: parsePolicy(`randomresizedcrop(scale=${CROP.scale.join('..')},ratio=${CROP.ratio.join('..')})|flip`),
  classes: ['any'],
  epochs: 3,
  seed: 0,
  stage: 'bench',
});
report.say(`${items.length} images, ${side}x${side}, ${pool.threads} threads`);
for (const epoch of [1, 2])
  await measure('evaluation', epoch, crops.batches(items, { batchSize }), (batch) => batch.positions.length);
for (const epoch of [1, 2, 3])
  await measure('random resized crop, flip', epoch, training.epoch(epoch), (batch) => batch.ids.length);
await pool.dispose();
peer?.stop();

async function measure(kind, epoch, batches, count) {
  const start = performance.now();
  const before = process.cpuUsage();
  let images = 0;
  for await (const batch of batches) images += count(batch);
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(before);
  const perCore = (images / (user + system)) * 1e6;
  const peerPerCore = await rateOfPeer(kind, epoch);
  report.row({
    crops: kind,
    epoch,
    images,
    side,
    threads: pool.threads,
    ours: round(images / seconds),
    perCore: round(perCore),
    mib: round(process.memoryUsage.rss() / 2 ** 20),
    peerPerCore: round(peerPerCore),
    ratio: round(ratio(perCore, peerPerCore)),
  });
}

/** Images a second of its processor time; null without a peer. */
async function rateOfPeer(kind, epoch) {
  if (!peer) return null;
  const answer = await peer.ask({
    files,
    side,
    kind: kind === 'evaluation' ? 'evaluation' : 'training',
    epoch,
    ...CROP,
  });
  if (answer.error === undefined) return answer.perCore;
  report.say(`PyTorch, ${kind}: ${answer.error}`);
  return null;
}
