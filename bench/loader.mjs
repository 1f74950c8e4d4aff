// Throughput of the loader: crops as evaluation sees them, and random crops for training.
// Usage: node bench/loader.mjs FOLDER_OF_IMAGES [side] [threads]
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { CropCache } from '../dist/batches/crop-cache.js';
import { EvaluationCrops } from '../dist/batches/evaluation-crops.js';
import { ImagePool } from '../dist/batches/image-pool.js';
import { TrainingBatches } from '../dist/batches/training-batches.js';
import { parsePreprocessing } from '../dist/models/preprocessing.js';

const [folder, side = '224', threads] = process.argv.slice(2);
if (folder === undefined) {
  console.error('Usage: node bench/loader.mjs FOLDER_OF_IMAGES [side] [threads]');
  process.exit(2);
}
const preprocessing = parsePreprocessing(
  { inputSize: [Number(side), Number(side)], mean: [128, 128, 128], std: [128, 128, 128] },
  'the benchmark',
);
const items = readdirSync(folder, { recursive: true })
  .map((name) => join(folder, name))
  .filter((file) => /\.(jpe?g|png|webp)$/i.test(file) && statSync(file).isFile())
  .slice(0, 2000)
  .map((file) => ({ id: file, file, contentKey: file, width: 0, height: 0, target: 0 }));
const pool = await ImagePool.start(preprocessing, threads === undefined ? {} : { threads: Number(threads) });
const crops = new EvaluationCrops(pool, new CropCache(preprocessing, { diskBytes: 0 }));
const training = new TrainingBatches(pool, crops, {
  items,
  batchSize: 32,
  policy: { crop: { scale: [0.35, 1], ratio: [3 / 4, 4 / 3] }, flip: true },
  seed: 0,
  stage: 'bench',
});

async function measure(what, batches, count) {
  const start = performance.now();
  const before = process.cpuUsage();
  let images = 0;
  for await (const batch of batches) images += count(batch);
  const rate = (images / (performance.now() - start)) * 1000;
  const { user, system } = process.cpuUsage(before);
  const perCore = (images / (user + system)) * 1e6;
  const memory = process.memoryUsage.rss() / 2 ** 20;
  console.log(
    `${what.padEnd(44)} ${rate.toFixed(0).padStart(7)} images/s ${perCore.toFixed(0).padStart(7)} a core's second   ${memory.toFixed(0)} MiB`,
  );
}
console.log(`${items.length} images, ${side}x${side}, ${pool.threads} threads`);
for (const epoch of [1, 2])
  await measure(`evaluation crops, epoch ${epoch}`, crops.batches(items, { batchSize: 32 }), (b) => b.positions.length);
for (const epoch of [1, 2, 3])
  await measure(`random resized crop and flip, epoch ${epoch}`, training.epoch(epoch), (b) => b.ids.length);
await pool.dispose();
