// Augmentation beside Albumentations and torchvision v2, all pinned to one core: 224x224 RGB in, what a network takes out.
// node bench/augment.mjs [--rows NAME,...] [--seconds 1] [--rounds 5] [--json]
// Counted are images a second of processor time, so that what else runs on the machine counts less. The peers need
// torchvision and albumentations (or albumentationsx) in the Python of GLEANER_BENCH_PYTHON.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { drawPolicy, parsePolicy } from '../dist/augment/policy.js';
import { runSteps, toNormalisedPlanes } from '../dist/augment/run-steps.js';
import { randomStream } from '../dist/core/random.js';
import { decodeImage } from '../dist/images/decode.js';
import { NO_PEER, startPeer } from './support/peer.mjs';
import { chosen, figure, interleaved, ratio, Report, round } from './support/report.mjs';

const SIDE = 224;
const IMAGES = 16;
const [MEAN, STD] = [
  [123.675, 116.28, 103.53],
  [58.395, 57.12, 57.375],
];
const JITTER = 'randomresizedcrop|flip|colorjitter';
/** `peer`: the pipeline's name in peers/augment.py; `albumentations: false`: it has nothing of the kind. */
const ROWS = [
  { name: 'rotate, uint8', peer: 'rotate', policy: 'rotate(15)', normalised: false, decodes: false },
  { name: 'rotate', peer: 'rotate', policy: 'rotate(15)', normalised: true, decodes: false },
  {
    name: 'affine',
    peer: 'affine',
    policy: 'affine(15,0.1,0.1,0.9..1.1,10,10)',
    normalised: true,
    decodes: false,
  },
  { name: 'crop+flip+jitter', peer: 'crop, flip, jitter', policy: JITTER, normalised: true, decodes: false },
  { name: 'jpeg+crop+flip+jitter', peer: 'crop, flip, jitter', policy: JITTER, normalised: true, decodes: true },
  {
    name: 'randaugment',
    peer: 'crop, flip, randaugment',
    policy: 'randomresizedcrop|flip|randaugment(2,9,fill=128)',
    normalised: true,
    decodes: false,
    albumentations: false,
  },
  {
    name: 'augmix',
    peer: 'augmix',
    policy: 'augmix(3,fill=128)',
    normalised: true,
    decodes: false,
    albumentations: false,
  },
];

pinToOneCore();
const { values } = parseArgs({
  options: {
    rows: { type: 'string' },
    seconds: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '5' },
    json: { type: 'boolean', default: false },
  },
});
const [seconds, rounds] = [values.seconds, values.rounds].map(Number);
const report = new Report('augment', {
  json: values.json,
  columns: [
    { title: 'pipeline', width: 22, left: true, text: (row) => row.pipeline },
    { title: 'ours', width: 8, text: (row) => figure(row.ours, 0) },
    { title: 'Albumentations', width: 14, text: (row) => figure(row.albumentations, 0) },
    { title: 'torchvision', width: 11, text: (row) => figure(row.torchvision, 0) },
    { title: 'ratio', width: 6, text: (row) => figure(row.ratioAlbumentations, 2) },
    { title: 'ratio', width: 6, text: (row) => figure(row.ratioTorchvision, 2) },
  ],
});
sharp.concurrency(1);
const peer = startPeer('augment', { threads: 1 });
if (!peer) report.say(NO_PEER);
const folder = mkdtempSync(join(tmpdir(), 'gleaner-augment-'));
try {
  const files = await writeImages();
  for (const row of ROWS.filter(({ name }) => chosen(values.rows, name))) await measure(row, files);
} finally {
  peer?.stop();
  rmSync(folder, { recursive: true, force: true });
}

async function measure(row, files) {
  const one = await oursOf(row, files);
  await rate(one, seconds / 2);
  const arms = { ours: () => rate(one, seconds) };
  const peers = row.albumentations === false ? ['torchvision'] : ['albumentations', 'torchvision'];
  for (const name of peer ? peers : [])
    arms[name] = async () => {
      const { peer: pipeline, normalised, decodes } = row;
      const answer = await peer.ask({ files, pipeline, normalised, decodes, peer: name, seconds });
      if (answer.error !== undefined) report.say(`${name}, ${row.name}: ${answer.error}`);
      return answer.imagesPerSecond;
    };
  const { ours, albumentations, torchvision } = await interleaved(arms, rounds);
  report.row({
    pipeline: row.name,
    policy: row.policy,
    ours: round(ours),
    albumentations: round(albumentations),
    torchvision: round(torchvision),
    ratioAlbumentations: round(ratio(ours, albumentations)),
    ratioTorchvision: round(ratio(ours, torchvision)),
  });
}

/** A function that makes image `i`. */
async function oursOf({ policy, normalised, decodes }, files) {
  const parsed = parsePolicy(policy);
  const encoded = files.map((file) => readFileSync(file));
  const images = await Promise.all(encoded.map((bytes) => decodeImage(bytes)));
  // As a batch of training has it: results lie one behind the other in memory that is there.
  const batch = new Float32Array(IMAGES * SIDE * SIDE * 3);
  const pixels = new Uint8Array(IMAGES * SIDE * SIDE * 3);
  const vary = (image, i) => {
    const stream = randomStream(0, 'bench', i);
    const steps = drawPolicy(parsed, { image, input: { width: SIDE, height: SIDE }, stream, label: undefined });
    const offset = (i % IMAGES) * SIDE * SIDE * 3;
    return normalised
      ? toNormalisedPlanes(image, MEAN, STD, { steps, into: batch, offset })
      : runSteps(steps, image, { into: pixels, offset });
  };
  if (!decodes) return (i) => vary(images[i % IMAGES], i);
  return async (i) => vary(await decodeImage(encoded[i % IMAGES]), i);
}

/** Images a second of processor time. */
async function rate(one, duration) {
  const start = process.cpuUsage();
  const spent = () => {
    const { user, system } = process.cpuUsage(start);
    return (user + system) / 1e6;
  };
  let count = 0;
  while (spent() < duration)
    for (let i = 0; i < IMAGES; i++) {
      const made = one(count++);
      if (made instanceof Promise) await made;
    }
  return count / spent();
}

/** Photos of a kind: gradients, discs and grain, as JPEGs of about 10 KB. */
async function writeImages() {
  const files = [];
  for (let k = 0; k < IMAGES; k++) {
    const stream = randomStream('bench', k);
    const discs = Array.from({ length: 12 }, () => ({
      x: stream.uniform() * SIDE,
      y: stream.uniform() * SIDE,
      radius: 10 + stream.uniform() * 50,
      colour: [stream.integer(256), stream.integer(256), stream.integer(256)],
    }));
    const data = new Uint8Array(SIDE * SIDE * 3);
    for (let y = 0, to = 0; y < SIDE; y++)
      for (let x = 0; x < SIDE; x++) {
        const disc = discs.findLast((one) => Math.hypot(x - one.x, y - one.y) < one.radius);
        for (let c = 0; c < 3; c++, to++)
          data[to] = (disc?.colour[c] ?? 255 - y / 2) * (0.7 + (0.3 * x) / SIDE) + stream.uniform() * 12;
      }
    const file = join(folder, `${k}.jpg`);
    writeFileSync(
      file,
      await sharp(data, { raw: { width: SIDE, height: SIDE, channels: 3 } })
        .jpeg({ quality: 85 })
        .toBuffer(),
    );
    files.push(file);
  }
  return files;
}

/** Runs itself again on one core, where `taskset` can do that; the peer inherits it. */
function pinToOneCore() {
  if (process.env.BENCH_PINNED || process.platform !== 'linux') return;
  const { status, error } = spawnSync('taskset', ['-c', '0', process.execPath, ...process.argv.slice(1)], {
    stdio: 'inherit',
    env: { ...process.env, BENCH_PINNED: '1', UV_THREADPOOL_SIZE: '1', OMP_NUM_THREADS: '1' },
  });
  if (error === undefined) process.exit(status ?? 1);
  console.error('There is no taskset: not pinned to one core.');
}
