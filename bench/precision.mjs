// Where lower precision pays: the frozen part of a network as an inference graph in float32, float16 and int8.
// node bench/precision.mjs [--networks mobilenetv2] [--weights mobilenetv2=FILE,efficientnet-lite0=FILE]
//   [--images FOLDER] [--batch 8] [--rounds 7] [--threads 2] [--json]
// Frozen are the first two thirds of the parameters, as where the last third is trained. The error is that of the
// values which the trained part is given: the norm of the difference to float32 over the norm. Without --weights
// networks are as they are initialised, without --images the crops are digits: speed is the same, errors are not those
// of a trained network on photos. int8 is calibrated on other images than it is measured on.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { trainableParameters } from '../dist/autodiff/parameters.js';
import { CropCache } from '../dist/batches/crop-cache.js';
import { EvaluationCrops } from '../dist/batches/evaluation-crops.js';
import { ImagePool } from '../dist/batches/image-pool.js';
import { chooseRange } from '../dist/export/activation-range.js';
import { calibrate } from '../dist/export/calibrate.js';
import { toFloat16 } from '../dist/export/float16.js';
import { foldBatchNorm } from '../dist/export/fold-batch-norm.js';
import { planQuantization } from '../dist/export/quantization-plan.js';
import { quantize } from '../dist/export/quantize.js';
import { buildModel } from '../dist/models/registry.js';
import { foldConstants } from '../dist/onnx/fold.js';
import { loadModel } from '../dist/onnx/read.js';
import { writeModel } from '../dist/onnx/write.js';
import { Engine } from '../dist/runtime/engine.js';
import { splitFrozen } from '../dist/train/frozen-split.js';
import { digitsFolder } from './support/digits-folder.mjs';
import { preprocessingOf } from './support/networks.mjs';
import { chosen, figure, interleaved, median, ratio, Report, round } from './support/report.mjs';

const SIDE = 224;
const NETWORKS = {
  mobilenetv2: 'mobilenetv2_100',
  'efficientnet-lite0': 'efficientnet_lite0',
  resnet18: 'resnet18',
};
const CALIBRATION_BATCHES = 4;
const TEST_BATCHES = 4;

const { values } = parseArgs({
  options: {
    networks: { type: 'string' },
    weights: { type: 'string', default: '' },
    images: { type: 'string' },
    batch: { type: 'string', default: '8' },
    rounds: { type: 'string', default: '7' },
    threads: { type: 'string', default: '2' },
    json: { type: 'boolean', default: false },
  },
});
const [batch, rounds, threads] = [values.batch, values.rounds, values.threads].map(Number);
const weights = new Map(
  values.weights
    .split(',')
    .filter(Boolean)
    .map((pair) => pair.split('=')),
);
const report = new Report('precision', {
  json: values.json,
  columns: [
    { title: 'frozen part of', width: 19, left: true, text: (row) => row.model },
    { title: 'weights', width: 8, left: true, text: (row) => row.weights },
    { title: 'precision', width: 14, left: true, text: (row) => row.precision },
    { title: 'images/s', width: 8, text: (row) => row.skipped ?? figure(row.ours) },
    { title: 'of float32', width: 10, text: (row) => figure(row.ratio, 2) },
    { title: 'error', width: 9, text: (row) => figure(row.error, 5) },
    { title: 'worst image', width: 11, text: (row) => figure(row.worstError, 5) },
  ],
});
const networks = Object.keys(NETWORKS).filter((name) => chosen(values.networks, name));
if (networks.length === 0) {
  console.error(`No such network. There are ${Object.keys(NETWORKS).join(', ')}.`);
  process.exit(2);
}
const preprocessing = preprocessingOf(SIDE);
const crops = await cropBatches(values.images ?? (await digitsFolder({ images: 10 })));
const engine = await Engine.start({ device: 'cpu', threads });
report.say(`${threads} threads, batches of ${batch}, ${values.images ? 'given images' : 'digits'}`);
for (const network of networks) await measureNetwork(network);
await engine.dispose();

async function measureNetwork(network) {
  const graph = foldBatchNorm(foldConstants(await frozenPart(network), { keep: new Set() }));
  const makers = {
    float32: () => graph,
    'float16 weights': () => toFloat16(graph, { compute: 'float32' }),
    float16: () => toFloat16(graph, { compute: 'float16' }),
    int8: () => toIntegers(graph),
  };
  const sessions = {};
  const names = { model: network, weights: weights.has(network) ? 'trained' : 'random', batch };
  for (const [name, make] of Object.entries(makers))
    try {
      sessions[name] = await engine.load(writeModel({ graph: await make() }), { name });
    } catch (error) {
      report.row({ ...names, precision: name, skipped: error.message.slice(0, 200) });
    }
  const rate = async (session) => {
    const times = await engine.time(session, { feeds: { pixels: crops.test[0] } }, { warmUp: 1, runs: 3 });
    return (1000 * batch) / median(times);
  };
  const rates = await interleaved(
    Object.fromEntries(Object.entries(sessions).map(([name, session]) => [name, () => rate(session)])),
    rounds,
  );
  const expected = await outputs(sessions.float32);
  for (const [name, session] of Object.entries(sessions)) {
    const errors = relativeErrors(await outputs(session), expected);
    report.row({
      ...names,
      precision: name,
      ours: round(rates[name]),
      ratio: round(ratio(rates[name], rates.float32)),
      error: round(Math.hypot(...errors) / Math.sqrt(errors.length)),
      worstError: round(Math.max(...errors)),
    });
    await session.release();
  }
}

/** `pixels` to what the trained last third is given. */
async function frozenPart(network) {
  const file = weights.get(network);
  const { graph } = file ? await loadModel(file) : buildModel(NETWORKS[network], { classes: 10, seed: 0 });
  const logits = graph.outputs.find(({ name }) => name === 'logits')?.name ?? graph.outputs[0].name;
  const parameters = trainableParameters(graph, logits);
  const trained = parameters.slice(Math.ceil((2 * parameters.length) / 3));
  const split = splitFrozen({
    graph,
    input: graph.inputs[0].name,
    logits,
    images: { kind: 'pixels', preprocessing },
    labels: 'indices',
    loss: { name: 'cross-entropy' },
    parameters: trained.map((name) => ({ name, group: 'all', decay: false })),
    microBatch: batch,
    batchNorm: 'frozen',
    optimizer: { name: 'sgd' },
    target: { kind: 'plain' },
  });
  if (split === undefined) throw new Error(`${network} can't be cut behind its first two thirds.`);
  return split.prefix;
}

async function toIntegers(graph) {
  const plan = planQuantization(graph);
  const batches = async function* () {
    for (const pixels of crops.calibration) yield { pixels };
  };
  const { histograms, inputMeans } = await calibrate(engine, graph, plan, batches);
  const ranges = new Map([...histograms].map(([name, histogram]) => [name, chooseRange(histogram, 'mse')]));
  return quantize(graph, plan, ranges, { inputMeans });
}

/** What a session makes of all test batches, an array an image. */
async function outputs(session) {
  const images = [];
  for (const pixels of crops.test) {
    const { value } = await engine.run(session, { feeds: { pixels } });
    const size = value.data.length / batch;
    for (let i = 0; i < batch; i++) images.push(value.data.slice(i * size, (i + 1) * size));
  }
  return images;
}

function relativeErrors(actual, expected) {
  return actual.map((image, i) => {
    let [difference, norm] = [0, 0];
    for (const [j, value] of image.entries()) {
      difference += (value - expected[i][j]) ** 2;
      norm += expected[i][j] ** 2;
    }
    return Math.sqrt(difference / norm);
  });
}

/** Images of a folder as evaluation crops them, in whole batches. */
async function cropBatches(folder) {
  const files = readdirSync(folder, { recursive: true })
    .filter((name) => /\.(jpe?g|png|webp)$/i.test(name))
    .toSorted();
  const wanted = batch * (CALIBRATION_BATCHES + TEST_BATCHES);
  if (files.length < wanted) throw new Error(`${wanted} images are needed, ${folder} holds ${files.length}.`);
  const items = Array.from({ length: wanted }, (_, i) => {
    const file = join(folder, files[Math.floor((i * files.length) / wanted)]);
    return { id: file, file, contentKey: file, width: 0, height: 0, target: 0 };
  });
  const pool = await ImagePool.start(preprocessing);
  const made = [];
  const all = new EvaluationCrops(pool, new CropCache(preprocessing, { diskBytes: 0 }));
  for await (const { crops: cut } of all.batches(items, { batchSize: batch })) made.push(cut);
  await pool.dispose();
  // Both halves hold images of every class.
  const half = (parity) => made.filter((_, i) => i % 2 === parity);
  return { calibration: half(0), test: half(1) };
}
