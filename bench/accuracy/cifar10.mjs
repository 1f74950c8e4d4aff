// 100 labels a class of CIFAR-10, a ResNet-20 from scratch: what crops and flips add, and what is added to them.
import { join } from 'node:path';
import { trainCell } from '../support/train-cell.mjs';

const FLIP_CROP = 'randomcrop(padding=4)|flip';

/** The same for all arms. Without folds: they only calibrate. */
const TRAINING = {
  model: 'cifar_resnet20',
  optimizer: 'sgd',
  lr: 0.2,
  batchSize: 64,
  weightDecay: 1e-3,
  warmupEpochs: 5,
  labelSmoothing: 0,
  dropout: 0,
  folds: 0,
};

export const cifar10 = {
  name: 'cifar10',
  about: 'ResNet-20 from scratch, 100 labels a class',
  flags: {
    lists: { type: 'string' },
    searched: { type: 'string' },
    // For trials of how to train, judged by held-out training images (`validation`), never by the test half.
    lr: { type: 'string' },
    'batch-size': { type: 'string' },
    'weight-decay': { type: 'string' },
    val: { type: 'string' },
  },
  needs: ['data', 'lists'],
  base: 'flipcrop',
  metrics: ['accuracy', 'validation'],
  epochs: 200,
  arms({ searched, lr, val, 'batch-size': batchSize, 'weight-decay': weightDecay }) {
    const given = Object.entries({ lr, val, batchSize, weightDecay }).filter(([, value]) => value !== undefined);
    const training = { ...TRAINING, ...Object.fromEntries(given.map(([name, value]) => [name, Number(value)])) };
    const policies = {
      none: 'evaluationcrop',
      flipcrop: FLIP_CROP,
      randaugment: `${FLIP_CROP}|randaugment(2,9)`,
      cutmix: `${FLIP_CROP}|cutmix(1,p=0.5)`,
      ...(searched && { searched }),
    };
    return Object.entries(policies).map(([name, augment]) => ({ name, options: { ...training, augment } }));
  },
  open: async ({ data, lists }) => ({
    run: ({ options, seed }, place) =>
      trainCell({ ...options, data, seed, labelsList: join(lists, `cifar10-100-per-class-seed${seed}.txt`) }, place),
  }),
};
