// CIFAR ResNets taught by a ResNet-56 on the small CIFAR-10: what a teacher is worth with and without labels, by which loss.
import { writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { distill } from '../../dist/index.js';
import { trainCell } from '../support/train-cell.mjs';

/** The same for all arms: an arm of labels alone is a distillation in which the teacher counts for nothing. */
const TRAINING = {
  optimizer: 'sgd',
  batchSize: 64,
  weightDecay: 5e-4,
  warmupEpochs: 5,
  dropout: 0,
  folds: 0,
  augment: 'randomcrop(padding=4)|flip',
};
const LOSSES = {
  labels: { alpha: 0 },
  'kd-unlabelled': { alpha: 1 },
  kd: {},
  dkd: { loss: 'dkd' },
  dist: { loss: 'dist', temperature: 4 },
};
const STUDENTS = ['cifar_resnet8', 'cifar_resnet20'];
/** In the order of the teacher's outputs. */
const CLASSES = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'];

export const distillation = {
  name: 'distillation',
  about: 'ResNet-8 and ResNet-20 taught by ResNet-56 on the small CIFAR-10',
  flags: {
    teacher: { type: 'string' },
    student: { type: 'string', default: STUDENTS[0] },
    // Each arm has a rate of its own: search it with --val, judged by `validation`, never by the test half.
    lr: { type: 'string', default: '0.1' },
    val: { type: 'string' },
    temperature: { type: 'string' },
    alpha: { type: 'string' },
  },
  needs: ['data', 'teacher'],
  base: 'labels',
  metrics: ['accuracy', 'agreement', 'validation'],
  epochs: 100,
  arms({ teacher, student, lr, val, temperature, alpha }) {
    const shared = {
      ...TRAINING,
      lr: Number(lr),
      ...(val !== undefined && { val: Number(val) }),
      teacher: [basename(teacher)],
      student,
    };
    // A grid of T and alpha goes one by one: the arm `kd` with both given.
    const given = {
      ...(temperature !== undefined && { temperature: Number(temperature) }),
      ...(alpha !== undefined && { alpha: Number(alpha) }),
    };
    return Object.entries(LOSSES).map(([name, loss]) => ({
      name,
      options: { ...shared, ...loss, ...(name === 'kd' && given) },
    }));
  },
  async open({ data, teacher }, folder) {
    const teacherClasses = join(folder, 'teacher-classes.txt');
    writeFileSync(teacherClasses, `${CLASSES.join('\n')}\n`);
    return {
      run: ({ options, seed }, place) =>
        trainCell(
          { ...options, teacher: [teacher], teacherClasses, data, seed },
          place,
          ({ agreement }) => ({ agreement }),
          distill,
        ),
    };
  },
};
