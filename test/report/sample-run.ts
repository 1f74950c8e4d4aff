import { randomStream } from '../../src/core/random.ts';
import { evaluatePredictions } from '../../src/evaluate/evaluation.ts';
import { fitTemperature } from '../../src/evaluate/temperature.ts';
import type { RunSummary } from '../../src/report/run-summary.ts';

/** A run with everything in it, made up; the same each time. */
export function sampleRun(classes: readonly string[], n = 372): RunSummary {
  const stream = randomStream('sample run', classes.length);
  const k = classes.length;
  const labels = Array.from({ length: n }, () => Math.min(stream.integer(k), stream.integer(k)));
  const ids = labels.map((label, i) => `test/${classes[label]}/IMG_${1000 + i}.jpg`);
  const logits = Float32Array.from({ length: n * k }, (_, i) => {
    const row = Math.floor(i / k);
    return 2.8 * (stream.normal() + (i % k === labels[row] ? 2.4 : 0) + ((i % k) - 1 === labels[row] ? 0.8 : 0));
  });
  const predictions = { classes, logits, labels, ids };
  const { temperature } = fitTemperature(predictions);
  const evaluation = evaluatePredictions(predictions, { temperature, mistakes: 12 });
  const epochs = Array.from({ length: 20 }, (_, i) => ({
    epoch: i + 1,
    loss: 0.35 + 1.6 * Math.exp(-i / 4) + 0.03 * stream.normal(),
    validationLoss: 0.6 + 1.1 * Math.exp(-i / 3) + 0.03 * stream.normal(),
    accuracy: 0.8 - 0.6 * Math.exp(-i / 3) + 0.01 * stream.normal(),
    learningRate: 0.01 * Math.cos((i / 20) * (Math.PI / 2)),
    imagesPerSecond: 41 + stream.normal(),
  }));
  return {
    name: 'clothing, 10 labels a class',
    state: 'finished',
    method: 'finetune',
    startedAt: '2026-11-24T09:12:00.000Z',
    seconds: 421.4,
    evaluation,
    scoredOn: 'test',
    otherScores: [{ name: 'folds of the labelled images', accuracy: 0.79, interval: [0.7, 0.858], n: 100 }],
    testOpenings: [
      { reason: 'score of the run', at: '2026-11-24T09:19:01.000Z' },
      { reason: 'int8 variant', at: '2026-11-24T09:19:20.000Z' },
    ],
    abstain: {
      wantedPrecision: 0.95,
      result: { threshold: 0.712, precision: 0.953, coverage: 0.64 },
      foundOn: 'out-of-fold predictions of 100 labelled images',
    },
    stages: [
      {
        name: 'head',
        seconds: 2.1,
        epochs: epochs.slice(0, 1),
        unlabeled: [10, 20].map((step) => ({
          step,
          used: step / 25,
          confidence: 0.9,
          threshold: 0.95,
          classesUsed: 4,
        })),
      },
      {
        name: 'finetune',
        seconds: 390,
        epochs: epochs.map(({ validationLoss, accuracy, ...rest }) => ({ ...rest, validationLoss, accuracy })),
        kept: { epoch: 17, reason: 'the best on validation' },
      },
    ],
    machineLabels: {
      round: 'round-2',
      images: 2968,
      used: 2300,
      setAside: 149,
      file: 'pseudo-labels/round-2.csv',
      examples: [
        {
          title: 'Least sure of those used',
          labels: [
            { file: 'unlabeled/1.jpg', label: classes[0]!, probability: 0.4, chance: 0.3, before: classes.at(-1)! },
          ],
        },
      ],
    },
    rounds: [
      { round: 0, network: 'MobileNetV2', accuracy: 0.7, heldOut: '100 labelled images', isKept: true },
      {
        round: 1,
        network: 'MobileNetV2',
        unlabelled: 2968,
        used: 2100,
        setAside: 149,
        expectedRight: 0.86,
        accuracy: 0.74,
        heldOut: '100 labelled images',
        rise: 0.12,
        riseInterval: [0.02, 0.21],
        isKept: true,
      },
      {
        round: 2,
        network: 'EfficientNet-Lite0',
        unlabelled: 2968,
        used: 2300,
        expectedRight: 0.88,
        accuracy: 0.73,
        heldOut: '100 labelled images',
        rise: -0.02,
        riseInterval: [-0.09, 0.04],
        isKept: false,
        reasons: ['no better than the best before'],
      },
    ],
    data: {
      source: 'photos/clothing',
      fingerprint: 'sha256:4f1c0b',
      classes: classes.map((name, i) => ({
        name,
        counts: { train: 10, test: evaluation.perClass[name]!.support, val: i },
      })),
      unlabeled: 2900,
      quarantined: [
        { file: 'train/dress/broken.jpg', reason: 'the file ends early (VipsJpeg: premature end of JPEG image)' },
        { file: 'train/hat/empty.png', reason: 'zero bytes' },
      ],
      duplicates: { groups: 14, images: 31, examples: [['train/hat/a.jpg', 'train/hat/a (copy).jpg']] },
      conflicts: [{ files: ['train/hat/x.jpg', 'train/dress/x.jpg'], labels: ['hat', 'dress'] }],
      leaks: { pairs: [['train/hat/a.jpg', 'test/hat/b.jpg']], dropped: false },
      ignored: ['.ipynb_checkpoints', 'Thumbs.db'],
    },
    network: {
      name: 'MobileNetV2 1.0',
      source: 'models/mobilenet_v2_1.0_224.onnx',
      sha256: 'c0ffee',
      parameters: 2_257_984,
      trainedParameters: 2_236_682,
      multiplyAdds: 300_774_272,
      preprocessing: '224x224 RGB, bicubic, centre crop 0.875, x / 128 - 1 (known family)',
    },
    variants: [
      {
        name: 'float32',
        file: 'model.onnx',
        bytes: 9_100_000,
        accuracy: 0.81,
        interval: [0.77, 0.85],
        millisecondsPerImage: 6.2,
      },
      {
        name: 'int8',
        file: 'model.int8.onnx',
        bytes: 2_600_000,
        accuracy: 0.802,
        interval: [0.76, 0.84],
        millisecondsPerImage: 7.9,
        largestDifference: 0.071,
      },
    ],
    environment: {
      gleaner: '0.1.0',
      engine: '1.30.0',
      device: 'cpu',
      threads: 2,
      node: '20.19.0',
      platform: 'linux x64',
    },
    config: {
      seed: 0,
      epochs: 20,
      optimizer: 'sgd',
      mean: [127.5, 127.5, 127.5],
      backbone: 'models/mobilenet_v2_1.0_224.onnx',
    },
    commands: [{ purpose: 'Predict', command: 'npx gleaner predict runs/clothing/model.onnx IMAGE...' }],
  };
}
