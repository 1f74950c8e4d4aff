// Whether a network looks at the whole object: class activation maps of digits on a larger canvas, whose boxes are known, with
// and without CutMix (Yun et al. 2019, section 4.2). The maps are those of the image's own class.
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { tensor } from '../../dist/core/tensor.js';
import { withClassActivation } from '../../dist/models/class-activation.js';
import { extract } from '../../dist/onnx/compose.js';
import { readModel } from '../../dist/onnx/read.js';
import { writeModel } from '../../dist/onnx/write.js';
import { Engine } from '../../dist/runtime/engine.js';
import { CANVAS, CLUTTER, writeClutteredDigits } from '../support/cluttered-digits.mjs';
import { boxAbove, contains, enlarged, overlap, peak } from '../support/localisation.mjs';
import { mean } from '../support/statistics.mjs';
import { trainCell } from '../support/train-cell.mjs';

const TRAINING = {
  model: 'cifar_resnet8',
  inputSize: CANVAS,
  lr: 0.05,
  batchSize: 32,
  labelSmoothing: 0,
  dropout: 0,
  folds: 0,
  // All training images train: the score is on test, once.
  val: 0,
};
/** Of the map's maximum. */
const SHARES = Array.from({ length: 18 }, (_, i) => Math.round(5 * (i + 1)) / 100);
const BATCH = 100;

export const cutMixLocalisation = {
  name: 'cutmix-localisation',
  about: 'class activation maps on digits whose boxes are known',
  flags: { 'per-class': { type: 'string', default: '150' } },
  needs: [],
  base: 'none',
  metrics: ['accuracy', 'hit', 'iou', 'iou50'],
  epochs: 20,
  arms(values) {
    const shared = { ...TRAINING, perClass: Number(values['per-class']), clutter: CLUTTER };
    return [
      { name: 'none', options: { ...shared, augment: 'evaluationcrop' } },
      { name: 'cutmix', options: { ...shared, augment: 'evaluationcrop|cutmix(1)' } },
    ];
  },
  async open(_values, folder) {
    return {
      async run({ options: { perClass, clutter: _clutter, ...options }, seed }, place) {
        const data = join(folder, 'digits');
        await rm(data, { recursive: true, force: true });
        const images = await writeClutteredDigits(data, { train: perClass, test: 100 }, seed);
        return trainCell({ ...options, data, seed }, place, ({ model }) => localised(model, images));
      },
    };
  },
  derive: withBoxes,
  summary: (cells) => [{ what: 'share of the maximum, chosen on training images', share: bestShare(cells) }],
};

/** The pointing game (Zhang et al. 2016) on test, and the overlap of boxes at every share. */
async function localised(model, { train, test }) {
  const { graph } = readModel(await readFile(model));
  const explained = withClassActivation(graph, { logits: 'logits' });
  const cam = explained.outputs.at(-1).name;
  const engine = await Engine.start({ device: 'cpu' });
  let [onTrain, onTest] = [[], []];
  try {
    const session = await engine.load(writeModel({ graph: extract(explained, [cam]) }));
    [onTrain, onTest] = [await mapsOf(engine, session, cam, train), await mapsOf(engine, session, cam, test)];
  } finally {
    await engine.dispose();
  }
  const overlaps = (maps, images, share) => maps.map((map, i) => overlap(boxAbove(map, CANVAS, share), images[i].box));
  return {
    hit: mean(onTest.map((map, i) => Number(contains(test[i].box, peak(map, CANVAS))))),
    boxes: SHARES.map((share) => {
      const [own, unseen] = [overlaps(onTrain, train, share), overlaps(onTest, test, share)];
      return { share, train: mean(own), test: mean(unseen), test50: mean(unseen.map((iou) => Number(iou >= 0.5))) };
    }),
  };
}

/** The map of each image's own class, as large as the image. */
async function mapsOf(engine, session, cam, images) {
  const maps = [];
  for (let from = 0; from < images.length; from += BATCH) {
    const batch = images.slice(from, from + BATCH);
    const rgb = Uint8Array.from(batch.flatMap(({ pixels }) => [...pixels]).flatMap((grey) => [grey, grey, grey]));
    const image = tensor('uint8', [batch.length, CANVAS, CANVAS, 3], rgb);
    const { data, shape } = (await engine.run(session, { feeds: { image }, fetch: [cam] }))[cam];
    const [, classes, height, width] = shape;
    for (const [i, { label }] of batch.entries()) {
      const at = (i * classes + label) * height * width;
      maps.push(enlarged(data.subarray(at, at + height * width), height, width, CANVAS));
    }
  }
  return maps;
}

/** The share at which boxes fit best on training images, over all arms and seeds: the same for both arms. */
function bestShare(cells) {
  const fits = SHARES.map((_, i) => mean(cells.map(({ boxes }) => boxes[i].train)));
  return SHARES[fits.indexOf(Math.max(...fits))];
}

function withBoxes(cells) {
  const at = SHARES.indexOf(bestShare(cells));
  return cells.map((cell) => ({ ...cell, iou: cell.boxes[at].test, iou50: cell.boxes[at].test50 }));
}
