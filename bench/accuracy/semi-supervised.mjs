// What unlabelled images are worth: few labels alone, few labels and unlabelled images (FixMatch, FreeMatch), all labels.
// The supervised arms have the same network, varied images, averaged weights, and as many images computed.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { OUTLINES } from '../../dist/recipes/plan/spread-attempt.js';
import { writeFewLabels } from '../../scripts/digits.mjs';
import { selfTrain } from '../../dist/index.js';
import { trainCell } from '../support/train-cell.mjs';

/** What the arms of a data set share. `batchSize` is of labelled images. */
const SETS = {
  'mnist-100': {
    labels: 100,
    images: 8000,
    ratio: 4,
    steps: 1000,
    shared: { model: 'digits', batchSize: 16, lr: 0.1, dropout: 0, labelSmoothing: 0 },
    // Digits as they may be written: turned, shifted, of another size, slanted and uneven; strongly so, and in part hidden.
    weak: 'evaluationcrop|affine(angle=-12..12,translatex=-0.07..0.07,translatey=-0.07..0.07,scale=0.9..1.1,shearx=-12..12,sheary=0..0,fill=edge)|elastic(0..30,4,fill=edge)',
    strong: OUTLINES,
  },
  'cifar10-250': {
    labels: 250,
    images: 6000,
    ratio: 3,
    steps: 2500,
    shared: { model: 'cifar_resnet20', batchSize: 16, lr: 0.05, weightDecay: 1e-3, dropout: 0, labelSmoothing: 0 },
    weak: 'randomcrop(padding=4)|flip',
    strong: 'randomcrop(padding=4)|flip|randaugment(2,10)|cutout',
  },
};
SETS['cifar10-40'] = { ...SETS['cifar10-250'], labels: 40 };

export const semiSupervised = {
  name: 'semi-supervised',
  about: 'few labels and many unlabelled images, from scratch',
  flags: {
    set: { type: 'string', default: 'mnist-100' },
    // Of cifar10: folder with label lists.
    lists: { type: 'string' },
    steps: { type: 'string' },
  },
  needs: [],
  base: 'supervised',
  metrics: ['accuracy'],
  epochs: undefined,
  arms({ set, steps: given }) {
    const chosen = SETS[set];
    if (chosen === undefined)
      throw new RangeError(`There is no set "${set}"; there are ${Object.keys(SETS).join(', ')}.`);
    const { shared, ratio, weak, strong } = chosen;
    const steps = Number(given ?? chosen.steps);
    const views = steps * shared.batchSize * (1 + 2 * ratio);
    const common = { ...shared, folds: 0, set };
    const semi = (method, options) => ({
      name: method,
      options: { ...common, method, mu: ratio, steps, weak, strong, ...options },
    });
    // Averages of the same share of the training.
    const alone = (count) => ({
      epochs: Math.ceil(views / count),
      ema: 2 ** (-1 / (0.02 * (views / shared.batchSize))),
    });
    return [
      { name: 'supervised', options: { ...common, augment: weak, ...alone(chosen.labels) } },
      { name: 'strong', options: { ...common, augment: strong, ...alone(chosen.labels) } },
      semi('fixmatch', { labeller: 'average', align: 'labelled' }),
      // Each image once where FixMatch has two views.
      {
        name: 'spread',
        options: {
          ...common,
          batchSize: 64,
          method: 'self-train',
          rounds: 1,
          firstTeacher: 'propagation',
          labels: 'hard',
          labelledShare: 0.05,
          augment: strong,
          epochs: Math.round(views / 1000),
        },
      },
      semi('freematch', { labeller: 'average', align: 'labelled' }),
      // All labels: as many images computed, so far fewer passes.
      { name: 'all-labels', options: { ...common, augment: weak, ...alone(chosen.images), allLabels: true } },
    ];
  },
  async open({ data, lists }, folder) {
    const digits = new Map();
    /** Data and list of the labels that are not hidden. */
    const labelled = async (set, seed) => {
      if (set !== 'mnist-100')
        return { data, list: join(lists, `cifar10-${SETS[set].labels / 10}-per-class-seed${seed}.txt`) };
      if (!digits.has(seed)) {
        const at = join(folder, `digits-${seed}`);
        const list = `${at}.txt`;
        const { chosen } = await writeFewLabels(at, seed, { hide: false });
        await writeFile(list, chosen.join('\n'));
        digits.set(seed, { data: at, list });
      }
      return digits.get(seed);
    };
    return {
      async run({ options: { set, allLabels, ...options }, seed }, place) {
        const { data: from, list } = await labelled(set, seed);
        // Validation would take labels away, and choose among epochs in one arm only.
        const given = allLabels ? { val: 0 } : { labelsList: list };
        const { method, ...rest } = options;
        const all = { ...rest, ...given, data: from, seed };
        return method === 'self-train'
          ? trainCell(all, place, undefined, selfTrain)
          : trainCell({ ...all, ...(method && { method }) }, place);
      },
    };
  },
};
